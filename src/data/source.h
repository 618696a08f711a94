/* The content of a file as a stream of bytes: as it is, or decompressed if it is gzip (RFC 1952),
 * which is told from its first two bytes and never from its name. */
#ifndef MG_SOURCE_H
#define MG_SOURCE_H

#include "error.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct mg_source mg_source;

/* *out: closed with mg__source_close. `path` is borrowed until then. unpack: false gives the file's
 * own bytes, gzip or not.
 * MG_ERR_NOT_FOUND, MG_ERR_IO, MG_ERR_MEMORY. */
mg_status mg__source_open(mg_source **out, const char *path, bool unpack);

/* Reads up to `size` bytes; *got < size only at the end of the content. On failure *got is what
 * came before it.
 * MG_ERR_FORMAT: gzip data that are corrupt, cut short, or followed by anything but more gzip data.
 * All of that is known only once the end was seen: who needs exactly n bytes reads n + 1. */
mg_status mg__source_read(mg_source *source, void *bytes, size_t size, size_t *got);

void mg__source_close(mg_source *source); /* NULL is fine */

#endif
