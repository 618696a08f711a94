#ifndef MG_DATA_CHECKSUM_H
#define MG_DATA_CHECKSUM_H

#include "mnist_gpu/dataset.h"

/* A CRC-32 of all that a training sees of a set: size, shape, classes, labels and pixels. */
uint32_t mg__dataset_crc32(const mg_dataset *set);

#endif
