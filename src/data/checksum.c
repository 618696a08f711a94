#include "data/checksum.h"
#include <stdio.h>
#include <string.h>
#include <zlib.h>

uint32_t mg__dataset_crc32(const mg_dataset *set)
{
    char sizes[80];
    const size_t image = (size_t)set->channels * set->height * set->width;
    snprintf(sizes, sizeof sizes, "%u %u %u %u %u", set->count, set->channels, set->height,
             set->width, set->classes);
    uLong crc = crc32_z(0, (const Bytef *)sizes, strlen(sizes));
    crc = crc32_z(crc, set->labels, set->count);
    crc = crc32_z(crc, set->pixels, set->count * image);
    return (uint32_t)crc;
}
