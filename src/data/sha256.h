/* SHA-256 (FIPS 180-4, sections 5.1.1 and 6.2). */
#ifndef MG_SHA256_H
#define MG_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct mg_sha256 {
    uint32_t state[8];
    uint64_t length;   /* bytes so far */
    uint8_t block[64]; /* the last length % 64 of them */
} mg_sha256;

enum { MG_SHA256_HEX_SIZE = 65 };

void mg__sha256_init(mg_sha256 *hash);
void mg__sha256_update(mg_sha256 *hash, const void *bytes, size_t size);
/* The digest as 64 lower-case hexadecimal digits; `hash` is used up. */
void mg__sha256_final(mg_sha256 *hash, char hex[MG_SHA256_HEX_SIZE]);

#endif
