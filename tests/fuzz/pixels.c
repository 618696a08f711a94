/* The preparation of a picture, from its pixels on: width, height, channels, polarity, then bytes
 * that are repeated as often as needed. */
#include "picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { HEADER = 4 };
    if (size <= HEADER) return 0;
    mg_image image = {
        .width = data[0] % 48 + 1u, .height = data[1] % 48 + 1u, .channels = data[2] % 4 + 1u};
    const size_t all = (size_t)image.width * image.height * image.channels;
    image.pixels = malloc(all);
    FUZZ_CHECK(image.pixels);
    for (size_t i = 0; i < all; i++) image.pixels[i] = data[HEADER + i % (size - HEADER)];
    fuzz_prepare(&image, (mg_invert)(data[3] % 3));
    free(image.pixels);
    return 0;
}
