#define _POSIX_C_SOURCE 200809L /* strcasecmp */
#include "image/png.h"
#include "io/file.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool ends_in(const char *path, const char *ending)
{
    const size_t length = strlen(path), end = strlen(ending);
    return length > end && !strcasecmp(path + length - end, ending);
}

static mg_status save_png(const char *path, const mg_image *image)
{
    uint8_t *bytes = NULL;
    size_t size;
    mg_status st = mg__png_encode(&bytes, &size, image);
    if (st) return mg__fail_in(st, "%s", path);
    st = mg__file_replace(path, &(mg_slice){bytes, size}, 1);
    free(bytes);
    return st;
}

mg_status mg_image_save(const mg_image *image, const char *path)
{
    char header[64];
    if (ends_in(path, ".png")) return save_png(path, image);
    if (!(ends_in(path, ".pgm") && image->channels == 1) &&
        !(ends_in(path, ".ppm") && image->channels == 3))
        return mg__fail(MG_ERR_INVALID, "%s: expected a name ending in .png or %s", path,
                        image->channels == 3 ? ".ppm" : ".pgm");
    snprintf(header, sizeof header, "P%d\n%u %u\n255\n", image->channels == 3 ? 6 : 5, image->width,
             image->height);
    const mg_slice slices[] = {
        {header, strlen(header)},
        {image->pixels, (size_t)image->width * image->height * image->channels}};
    return mg__file_replace(path, slices, MG_COUNT_OF(slices));
}
