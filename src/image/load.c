/* From a file to pixels: which format it is, limits, ownership. */
#include "image/decode.h"
#include "image/exif.h"
#include "io/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

mg_status mg__image_check_size(int64_t width, int64_t height, const char *name)
{
    if (width < 1 || height < 1 || width > MG_IMAGE_MAX_SIDE || height > MG_IMAGE_MAX_SIDE ||
        width * height > MG_IMAGE_MAX_PIXELS)
        return mg__fail(MG_ERR_FORMAT,
                        "%s: a picture of %lld x %lld pixels (expected sides of 1 to %d, at most "
                        "%d pixels)",
                        name, (long long)width, (long long)height, MG_IMAGE_MAX_SIDE,
                        MG_IMAGE_MAX_PIXELS);
    return MG_OK;
}

mg_status mg__image_wrap(mg_image **out, uint8_t *pixels, uint32_t width, uint32_t height,
                         uint32_t channels)
{
    mg_image *image = malloc(sizeof *image);
    if (!image) return mg__fail(MG_ERR_MEMORY, "out of memory for a picture");
    *image = (mg_image){width, height, channels, pixels};
    *out = image;
    return MG_OK;
}

void mg_image_free(mg_image *image)
{
    if (!image) return;
    free(image->pixels);
    free(image);
}

static mg_status not_a_picture(const uint8_t *bytes, size_t size, const char *name)
{
    char start[4 * 3 + 1] = "";
    if (size == 0) return mg__fail(MG_ERR_FORMAT, "%s: empty, expected a picture", name);
    for (size_t i = 0; i < 4 && i < size; i++)
        snprintf(start + 3 * i, sizeof start - 3 * i, " %02x", bytes[i]);
    return mg__fail(MG_ERR_FORMAT,
                    "%s: not a PNG, JPEG, BMP, PBM, PGM or PPM picture (it starts "
                    "with%s)",
                    name, start);
}

/* A camera stores what its sensor saw and, in a JPEG's EXIF data, which way up it was held. */
static mg_status decode_upright(mg_image **out, const uint8_t *bytes, size_t size, const char *name,
                                const char *format)
{
    mg_image *image = NULL;
    mg_status st = mg__decode_stb(&image, bytes, size, name, format);
    if (!st) st = mg__image_orient(image, mg__exif_orientation(bytes, size));
    if (!st) *out = image;
    if (st) mg_image_free(image);
    return st;
}

mg_status mg_image_decode(mg_image **out, const uint8_t *bytes, size_t size, const char *name)
{
    static const struct {
        const char *magic, *format;
    } formats[] = {{"\x89PNG\r\n\x1a\n", "PNG"}, {"\xff\xd8\xff", "JPEG"}, {"BM", "BMP"}};

    if (size > MG_IMAGE_MAX_BYTES)
        return mg__fail(MG_ERR_FORMAT, "%s: %zu bytes, expected at most %u", name, size,
                        MG_IMAGE_MAX_BYTES);
    for (int i = 0; i < MG_COUNT_OF(formats); i++) {
        size_t length = strlen(formats[i].magic);
        if (size >= length && memcmp(bytes, formats[i].magic, length) == 0)
            return decode_upright(out, bytes, size, name, formats[i].format);
    }
    if (size >= 2 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6')
        return mg__decode_pnm(out, bytes, size, name);
    return not_a_picture(bytes, size, name);
}

mg_status mg_image_load(mg_image **out, const char *path)
{
    mg_status st;
    uint8_t *bytes = NULL;
    size_t size;
    MG_TRY(mg__file_read(&bytes, &size, path, MG_IMAGE_MAX_BYTES));
    st = mg_image_decode(out, bytes, size, strcmp(path, "-") == 0 ? "standard input" : path);
out:
    free(bytes);
    return st;
}
