/* The orientation in a JPEG's EXIF data: the input is all of the TIFF file that the segment holds,
 * or, if it begins with FF D8, the JPEG. */
#include "fuzz.h"
#include "image/exif.h"

static void turn(int orientation)
{
    mg_image image = {.width = 3, .height = 2, .channels = 3, .pixels = malloc(18)};
    FUZZ_CHECK(image.pixels);
    for (int i = 0; i < 18; i++) image.pixels[i] = (uint8_t)(1 << i % 8);
    FUZZ_CHECK(mg__image_orient(&image, orientation) == MG_OK);
    FUZZ_CHECK(image.width * image.height == 6);
    fuzz_touch(image.pixels, 18);
    free(image.pixels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { BEFORE = 12, MAX_LENGTH = 0xffff };
    if (size >= 2 && data[0] == 0xff && data[1] == 0xd8) {
        turn(mg__exif_orientation(data, size));
        return 0;
    }
    const size_t length = size + BEFORE - 4; /* with itself and the six bytes of "Exif" */
    if (length > MAX_LENGTH) return 0;
    uint8_t *jpeg = malloc(BEFORE + size); /* no byte more: a read past the end is seen */
    FUZZ_CHECK(jpeg);
    memcpy(jpeg, "\xff\xd8\xff\xe1..Exif\0\0", BEFORE);
    jpeg[4] = (uint8_t)(length >> 8);
    jpeg[5] = (uint8_t)length;
    if (size) memcpy(jpeg + BEFORE, data, size);
    const int orientation = mg__exif_orientation(jpeg, BEFORE + size);
    FUZZ_CHECK(orientation >= 1 && orientation <= 8);
    turn(orientation);
    free(jpeg);
    return 0;
}
