#define _POSIX_C_SOURCE 200809L /* AT_FDCWD */
#include "data/source.h"
#include "io/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

/* next_in and avail_in of `z` are the cursor into `buffer` for plain content too. */
struct mg_source {
    const char *path;
    int fd;
    bool gzip, in_member; /* in_member: between the first and the last byte of a gzip member */
    z_stream z;
    uint8_t buffer[1 << 16];
};

/* Refills the empty buffer; avail_in stays 0 at the end of the file. */
static mg_status refill(mg_source *source)
{
    ssize_t got;
    do got = read(source->fd, source->buffer, sizeof source->buffer);
    while (got < 0 && errno == EINTR);
    if (got < 0) return mg__fail(MG_ERR_IO, "%s: cannot read: %s", source->path, strerror(errno));
    source->z.next_in = source->buffer;
    source->z.avail_in = (uInt)got;
    return MG_OK;
}

mg_status mg__source_open(mg_source **out, const char *path, bool unpack)
{
    mg_status st = MG_OK;
    mg_source *source = malloc(sizeof *source);
    if (!source) return mg__fail(MG_ERR_MEMORY, "%s: out of memory", path);
    source->path = path;
    source->gzip = false;
    memset(&source->z, 0, sizeof source->z);

    source->fd = mg__open_at(AT_FDCWD, path, O_RDONLY);
    if (source->fd < 0)
        MG_FAIL(errno == ENOENT || errno == ENOTDIR ? MG_ERR_NOT_FOUND : MG_ERR_IO,
                "%s: cannot open: %s", path, strerror(errno));
    MG_TRY(refill(source));
    if (unpack && source->z.avail_in >= 2 && source->buffer[0] == 0x1f &&
        source->buffer[1] == 0x8b) {
        if (inflateInit2(&source->z, 16 + MAX_WBITS) != Z_OK) /* 16: gzip, and nothing else */
            MG_FAIL(MG_ERR_MEMORY, "%s: no memory to decompress it", path);
        source->gzip = source->in_member = true;
    }
    *out = source;
    source = NULL;
out:
    mg__source_close(source);
    return st;
}

void mg__source_close(mg_source *source)
{
    if (!source) return;
    if (source->gzip) inflateEnd(&source->z);
    if (source->fd >= 0) close(source->fd);
    free(source);
}

/* Decompresses into next_out from the bytes in the buffer (at least one). A file may be several
 * members, one after another (RFC 1952, section 2.2). */
static mg_status inflate_some(mg_source *source)
{
    z_stream *z = &source->z;
    if (!source->in_member) {
        if (z->next_in[0] != 0x1f)
            return mg__fail(MG_ERR_FORMAT, "%s: found bytes after the end of the gzip data",
                            source->path);
        inflateReset(z);
        source->in_member = true;
    }
    switch (inflate(z, Z_NO_FLUSH)) {
    case Z_STREAM_END:
        source->in_member = false;
        return MG_OK;
    case Z_OK:
    case Z_BUF_ERROR: /* needs more input or room: the caller has both */
        return MG_OK;
    case Z_MEM_ERROR:
        return mg__fail(MG_ERR_MEMORY, "%s: no memory to decompress it", source->path);
    default:
        return mg__fail(MG_ERR_FORMAT, "%s: corrupt gzip data: %s", source->path,
                        z->msg ? z->msg : "not deflate");
    }
}

mg_status mg__source_read(mg_source *source, void *bytes, size_t size, size_t *got)
{
    mg_status st = MG_OK;
    z_stream *z = &source->z;
    uint8_t *const start = bytes;

    z->next_out = start;
    while ((size_t)(z->next_out - start) < size) {
        const size_t room = size - (size_t)(z->next_out - start);
        if (z->avail_in == 0) {
            MG_TRY(refill(source));
            if (z->avail_in == 0) {
                if (source->gzip && source->in_member)
                    MG_FAIL(MG_ERR_FORMAT, "%s: cut short: the gzip data have no end",
                            source->path);
                break;
            }
        }
        if (source->gzip) {
            z->avail_out = room < 1u << 30 ? (uInt)room : 1u << 30; /* uInt has 32 bits */
            MG_TRY(inflate_some(source));
        } else {
            const size_t n = room < z->avail_in ? room : z->avail_in;
            memcpy(z->next_out, z->next_in, n);
            z->next_out += n;
            z->next_in += n;
            z->avail_in -= (uInt)n;
        }
    }
out:
    *got = (size_t)(z->next_out - start);
    return st;
}
