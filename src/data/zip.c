#include "data/zip.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* Sizes and fields of the three records, by APPNOTE's sections 4.3.16, 4.3.12 and 4.3.7. */
enum {
    END_SIZE = 22,
    END_DISK = 4,
    END_COUNT = 10,
    END_DIRECTORY = 16,
    MAX_COMMENT = 65535,
    ENTRY_SIZE = 46,
    ENTRY_FLAGS = 8,
    ENTRY_METHOD = 10,
    ENTRY_CRC = 16,
    ENTRY_PACKED = 20,
    ENTRY_LENGTH = 24,
    ENTRY_NAME = 28,
    ENTRY_EXTRA = 30,
    ENTRY_COMMENT = 32,
    ENTRY_OFFSET = 42,
    LOCAL_SIZE = 30,
    LOCAL_NAME = 26,
    LOCAL_EXTRA = 28,
    STORED = 0,
    DEFLATED = 8,
    ENCRYPTED = 1,
    MAX_RATIO = 1032 /* deflate makes of a byte no more than so many */
};
#define IN_ZIP64 0xffffffffu

static uint32_t u16(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8; }
static uint32_t u32(const uint8_t *p) { return u16(p) | u16(p + 2) << 16; }

/* `size` bytes from `at` on lie in the file and begin with "PK" and the two bytes. */
static bool is_record(const mg_zip *zip, size_t at, size_t size, const char *kind)
{
    if (at > zip->size || zip->size - at < size) return false;
    const uint8_t *p = zip->bytes + at;
    return p[0] == 'P' && p[1] == 'K' && p[2] == (uint8_t)kind[0] && p[3] == (uint8_t)kind[1];
}

mg_status mg__zip_open(mg_zip *out, const uint8_t *bytes, size_t size, const char *name)
{
    mg_zip zip = {.bytes = bytes, .size = size, .name = name};
    for (size_t back = END_SIZE; back <= size && back <= END_SIZE + MAX_COMMENT; back++) {
        if (!is_record(&zip, size - back, END_SIZE, "\5\6")) continue;
        const uint8_t *end = bytes + size - back;
        zip.count = u16(end + END_COUNT);
        zip.directory = u32(end + END_DIRECTORY);
        if (u16(end + END_DISK) || zip.directory == IN_ZIP64 || zip.count == 0xffff)
            return mg__fail(MG_ERR_UNSUPPORTED, "%s: an archive of zip64 or of several disks",
                            name);
        *out = zip;
        return MG_OK;
    }
    return mg__fail(MG_ERR_FORMAT, "%s: not a ZIP archive, or cut short: no directory at its end",
                    name);
}

/* Inflates exactly `length` bytes; raw deflate. */
static bool inflate_all(uint8_t *out, size_t length, const uint8_t *packed, size_t packed_size)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)packed, .avail_in = (uInt)packed_size};
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK) return false;
    z.next_out = out;
    z.avail_out = (uInt)length;
    const bool whole = inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_out == 0;
    inflateEnd(&z);
    return whole;
}

/* The member that the directory's entry describes. */
static mg_status extract(uint8_t **out, size_t *size, const mg_zip *zip, const uint8_t *entry,
                         const char *member, size_t limit)
{
    mg_status st = MG_OK;
    uint8_t *bytes = NULL;
    const uint32_t method = u16(entry + ENTRY_METHOD);
    const size_t packed = u32(entry + ENTRY_PACKED), length = u32(entry + ENTRY_LENGTH);
    const size_t local = u32(entry + ENTRY_OFFSET);
    if ((u16(entry + ENTRY_FLAGS) & ENCRYPTED) || (method != STORED && method != DEFLATED))
        MG_FAIL(MG_ERR_UNSUPPORTED,
                "%s: %s is encrypted, or compressed with method %u (expected "
                "0 or 8)",
                zip->name, member, method);
    if (packed == IN_ZIP64 || length == IN_ZIP64 || local == IN_ZIP64)
        MG_FAIL(MG_ERR_UNSUPPORTED, "%s: %s is stored as zip64", zip->name, member);
    if (length > limit)
        MG_FAIL(MG_ERR_FORMAT, "%s: %s grows to %zu bytes, expected at most %zu", zip->name, member,
                length, limit);
    if (!is_record(zip, local, LOCAL_SIZE, "\3\4"))
        MG_FAIL(MG_ERR_FORMAT, "%s: %s is not where the directory says", zip->name, member);
    const uint8_t *header = zip->bytes + local;
    const size_t start = local + LOCAL_SIZE + u16(header + LOCAL_NAME) + u16(header + LOCAL_EXTRA);
    if (start > zip->size || packed > zip->size - start)
        MG_FAIL(MG_ERR_FORMAT, "%s: %s is cut short", zip->name, member);
    if (method == STORED ? packed != length : length / MAX_RATIO > packed)
        MG_FAIL(MG_ERR_FORMAT, "%s: %s: %zu bytes cannot become %zu", zip->name, member, packed,
                length);
    bytes = malloc(length + 1);
    if (!bytes) MG_FAIL(MG_ERR_MEMORY, "%s: no memory for %zu bytes", zip->name, length);
    if (method == STORED)
        memcpy(bytes, zip->bytes + start, length);
    else if (!inflate_all(bytes, length, zip->bytes + start, packed))
        MG_FAIL(MG_ERR_FORMAT, "%s: %s: corrupt, or not of %zu bytes", zip->name, member, length);
    if (crc32(0, bytes, (uInt)length) != u32(entry + ENTRY_CRC))
        MG_FAIL(MG_ERR_FORMAT, "%s: %s: wrong CRC", zip->name, member);
    *out = bytes;
    *size = length;
    bytes = NULL;
out:
    free(bytes);
    return st;
}

mg_status mg__zip_read(uint8_t **out, size_t *size, const mg_zip *zip, const char *member,
                       size_t limit)
{
    size_t at = zip->directory;
    *out = NULL;
    for (uint32_t i = 0; i < zip->count; i++) {
        if (!is_record(zip, at, ENTRY_SIZE, "\1\2"))
            return mg__fail(MG_ERR_FORMAT, "%s: entry %u of its directory is damaged", zip->name,
                            i + 1);
        const uint8_t *entry = zip->bytes + at;
        const size_t name = u16(entry + ENTRY_NAME);
        at += ENTRY_SIZE + name + u16(entry + ENTRY_EXTRA) + u16(entry + ENTRY_COMMENT);
        if (at > zip->size)
            return mg__fail(MG_ERR_FORMAT, "%s: its directory is cut short", zip->name);
        if (name == strlen(member) && !memcmp(entry + ENTRY_SIZE, member, name))
            return extract(out, size, zip, entry, member, limit);
    }
    return MG_OK;
}
