#include "data.h"
#include "mnist_gpu/image.h"
#include "term_picture.h"
#include <stdlib.h>
#include <string.h>

enum { GAP = 1 };

/* Copies an image, [c][h][w], to its place in the sheet, [h][w][c]. */
static void paste(mg_image *sheet, const mg_dataset *set, const uint8_t *image, uint32_t row,
                  uint32_t column)
{
    const size_t h = set->height, w = set->width, channels = set->channels;
    for (size_t c = 0; c < channels; c++)
        for (size_t y = 0; y < h; y++)
            for (size_t x = 0; x < w; x++) {
                const size_t at = (row * (h + GAP) + y) * sheet->width + column * (w + GAP) + x;
                sheet->pixels[at * channels + c] = *image++;
            }
}

/* Makes the sheet in `out`, whose pixels are malloc'd; what no image covers is `ground`. */
static mg_status make_sheet(mg_image *out, const mg_dataset *set, const uint8_t *const *images,
                            uint32_t count, uint32_t columns, int ground)
{
    const uint32_t rows = (count + columns - 1) / columns;
    *out = (mg_image){.width = columns * (set->width + GAP) - GAP,
                      .height = rows * (set->height + GAP) - GAP,
                      .channels = set->channels};
    if (set->channels != 1 && set->channels != 3)
        return mg__fail(MG_ERR_UNSUPPORTED, "%s: images of %u channels, but a picture has 1 or 3",
                        set->source, set->channels);
    const size_t bytes = (size_t)out->width * out->height * out->channels;
    out->pixels = malloc(bytes);
    if (!out->pixels) return mg__fail(MG_ERR_MEMORY, "out of memory for the sheet");
    memset(out->pixels, ground, bytes);
    for (uint32_t i = 0; i < count; i++)
        if (images[i]) paste(out, set, images[i], i / columns, i % columns);
    return MG_OK;
}

mg_status data_save_sheet(const char *path, const mg_dataset *set, const uint8_t *const *images,
                          uint32_t count, uint32_t columns)
{
    mg_image sheet;
    mg_status st = make_sheet(&sheet, set, images, count, columns, 64);
    if (st) return st;
    st = mg_image_save(&sheet, path);
    free(sheet.pixels);
    return st;
}

mg_status data_show_sheet(const mg_dataset *set, const uint8_t *const *images, uint32_t count,
                          uint32_t columns)
{
    mg_image sheet;
    const bool ink = set->channels == 1; /* is shown dark on white */
    const mg_status st = make_sheet(&sheet, set, images, count, columns, ink ? 0 : 255);
    if (st) return st;
    for (size_t i = 0; ink && i < (size_t)sheet.width * sheet.height; i++)
        sheet.pixels[i] = 255 - sheet.pixels[i];
    term_picture(&sheet);
    free(sheet.pixels);
    return MG_OK;
}
