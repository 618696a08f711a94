/* EXIF (CIPA DC-008) is a TIFF file in the JPEG's segment APP1: a header that names its byte order,
 * and at the offset that it states a directory of entries of 12 bytes. Every read is checked
 * against the end of the segment; offsets are followed once. */
#include "image/exif.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct tiff {
    const uint8_t *bytes;
    size_t size;
    bool little_endian;
} tiff;

/* The number of `count` bytes (2 or 4) there; 0 past the end. */
static uint32_t number(const tiff *t, size_t at, size_t count)
{
    uint32_t value = 0;
    if (at > t->size || t->size - at < count) return 0;
    for (size_t i = 0; i < count; i++)
        value = value << 8 | t->bytes[at + (t->little_endian ? count - 1 - i : i)];
    return value;
}

static int tiff_orientation(const uint8_t *bytes, size_t size)
{
    enum { ENTRY = 12, ORIENTATION = 0x0112, SHORT = 3 };
    if (size < 8 || (memcmp(bytes, "II*\0", 4) != 0 && memcmp(bytes, "MM\0*", 4) != 0)) return 1;
    const tiff t = {bytes, size, bytes[0] == 'I'};
    const size_t directory = number(&t, 4, 4), entries = number(&t, directory, 2);
    for (size_t i = 0; i < entries; i++) {
        const size_t entry = directory + 2 + i * ENTRY;
        if (number(&t, entry, 2) != ORIENTATION || number(&t, entry + 2, 2) != SHORT) continue;
        const uint32_t value = number(&t, entry + 8, 2);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

int mg__exif_orientation(const uint8_t *bytes, size_t size)
{
    enum { SOI = 2, APP0 = 0xe0, APP1 = 0xe1, APP15 = 0xef, COM = 0xfe };
    static const char magic[] = "Exif\0"; /* and one more NUL, its own */
    if (size < SOI || bytes[0] != 0xff || bytes[1] != 0xd8) return 1;
    for (size_t at = SOI; size - at >= 4 && bytes[at] == 0xff;) {
        const uint8_t marker = bytes[at + 1];
        const size_t length = (size_t)(bytes[at + 2] << 8 | bytes[at + 3]); /* with itself */
        const uint8_t *data = bytes + at + 4;
        if ((marker < APP0 || marker > APP15) && marker != COM) return 1;
        if (length < 2 || length > size - at - 2) return 1;
        if (marker == APP1 && length >= 2 + sizeof magic && !memcmp(data, magic, sizeof magic))
            return tiff_orientation(data + sizeof magic, length - 2 - sizeof magic);
        at += 2 + length;
    }
    return 1;
}

mg_status mg__image_orient(mg_image *image, int orientation)
{
    if (orientation == 1) return MG_OK;
    const bool turned = orientation >= 5;
    const bool flip_x =
        orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    const bool flip_y =
        orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    const size_t w = image->width, h = image->height, channels = image->channels;
    const size_t width = turned ? h : w, height = turned ? w : h;
    uint8_t *pixels = malloc(w * h * channels);
    if (!pixels) return mg__fail(MG_ERR_MEMORY, "out of memory to turn a picture");
    uint8_t *to = pixels;
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++, to += channels) {
            const size_t up_x = flip_x ? width - 1 - x : x, up_y = flip_y ? height - 1 - y : y;
            const size_t from = turned ? up_x * w + up_y : up_y * w + up_x;
            memcpy(to, image->pixels + from * channels, channels);
        }
    free(image->pixels);
    *image = (mg_image){(uint32_t)width, (uint32_t)height, image->channels, pixels};
    return MG_OK;
}
