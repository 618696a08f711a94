/* PNG. Its CRCs are not looked at (image/stb.c), so they stop no mutation. */
#include "picture.h"

/* A legal picture of millions of pixels takes a second: they are left out, but not what is refused.
 */
static bool is_slow(const uint8_t *data, size_t size)
{
    uint64_t sides[2] = {0};
    for (size_t i = 0; i < 8 && size >= 24; i++) sides[i / 4] = sides[i / 4] << 8 | data[16 + i];
    const uint64_t pixels = sides[0] * sides[1];
    return pixels > 1 << 18 && pixels <= MG_IMAGE_MAX_PIXELS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!is_slow(data, size)) fuzz_picture(data, size);
    return 0;
}
