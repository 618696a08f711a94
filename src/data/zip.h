/* The members of a ZIP archive (PKWARE's APPNOTE 6.3), stored or deflated. */
#ifndef MG_ZIP_H
#define MG_ZIP_H

#include "error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct mg_zip {
    const uint8_t *bytes; /* the whole file, borrowed */
    size_t size;
    const char *name; /* of the file, for messages */
    size_t directory; /* where the central directory begins */
    uint32_t count;   /* of its entries */
} mg_zip;

/* Finds the central directory. MG_ERR_FORMAT: no archive, or cut short. MG_ERR_UNSUPPORTED: zip64,
 * several disks. */
mg_status mg__zip_open(mg_zip *out, const uint8_t *bytes, size_t size, const char *name);

/* The content of the member of that name, malloc'd, checked by its CRC; *out is NULL if there is no
 * such member. `limit`: the most bytes it may have; memory is taken only as far as the compressed
 * bytes can fill it. MG_ERR_FORMAT, MG_ERR_UNSUPPORTED, MG_ERR_MEMORY. */
mg_status mg__zip_read(uint8_t **out, size_t *size, const mg_zip *zip, const char *member,
                       size_t limit);

#endif
