#include "image/decode.h"
#include <stdlib.h>
#include <string.h>

static uint32_t get_u32(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

mg_status mg__png_mend(uint8_t **out, size_t *size, const uint8_t *bytes)
{
    enum { SIGNATURE = 8, HEAD = 8 /* length and type */, CRC = 4, FULL = 3 * 256 };
    size_t at = SIGNATURE, kept = SIGNATURE;
    bool may_fill = true; /* the first palette, where it comes before the image */
    uint8_t *copy = calloc(1, *size + FULL);
    if (!copy) return mg__fail(MG_ERR_MEMORY, "out of memory for a picture");
    memcpy(copy, bytes, SIGNATURE);
    while (at < *size) {
        const uint8_t *chunk = bytes + at;
        const size_t left = *size - at;
        const size_t length = left < HEAD ? 0 : get_u32(chunk);
        const bool is_whole = left >= HEAD && length <= left - HEAD;
        const size_t taken = !is_whole || left - HEAD - length < CRC ? left : HEAD + length + CRC;
        const bool is_image = is_whole && memcmp(chunk + 4, "IDAT", 4) == 0;
        const bool is_palette = is_whole && memcmp(chunk + 4, "PLTE", 4) == 0;
        at += taken;
        if (is_image && length == 0) continue;
        if (is_palette && may_fill && length < FULL && length % 3 == 0) {
            memcpy(copy + kept, chunk, HEAD + length);
            copy[kept + 2] = FULL >> 8; /* of the length; the rest of it is 0 */
            copy[kept + 3] = FULL & 255;
            memcpy(copy + kept + HEAD + FULL, chunk + HEAD + length, taken - HEAD - length);
            kept += FULL - length;
        } else {
            memcpy(copy + kept, chunk, taken);
        }
        kept += taken;
        may_fill = may_fill && !is_image && !is_palette;
    }
    *out = copy;
    *size = kept;
    return MG_OK;
}
