/* Image sets in other forms, read into memory. */
#ifndef MG_IMPORT_H
#define MG_IMPORT_H

#include "mnist_gpu/dataset.h"
#include <stdbool.h>

typedef struct mg_import {
    mg_dataset *train, *test; /* NULL where the source has none; mg_dataset_free */
    char **names;             /* of the classes, NULL if they have none; mg__import_free */
    int name_count;
} mg_import;
void mg__import_free(mg_import *import); /* frees the members */

/* numpy's .npz with x_train, y_train, x_test and y_test (either pair may be missing), as Keras has
 * mnist.npz: images u8 [n][height][width], also with 1 or 3 channels at the end; labels of any
 * whole number type, [n], 0 to 255. Archives of up to 1 GiB; a member may say that it grows no more
 * than deflate can make it. MG_ERR_NOT_FOUND, MG_ERR_IO, MG_ERR_MEMORY, MG_ERR_FORMAT (what,
 * where), MG_ERR_UNSUPPORTED (encrypted, zip64, another compression than deflate). */
mg_status mg__import_npz(mg_import *out, const char *path);

/* A line per image: its label, then its pixels row by row, all 0 to 255, of a square image, with
 * commas between; the first line may be a heading. Errors as above; the message names the line. */
mg_status mg__import_csv(mg_dataset **out, const char *path);

/* A folder of pictures per class. The names of the folders are the labels if all of them are whole
 * numbers up to 255; else they become the names of the classes, in alphabetical order. The images
 * come in a random order, always the same. */
typedef struct mg_folder_options {
    uint32_t size; /* resize to size x size; 0: all pictures have the same size already */
    bool digits;   /* prepare each as `predict` does: 28x28 in MNIST's form */
} mg_folder_options;
mg_status mg__import_folders(mg_import *out, const char *path, mg_split split,
                             const mg_folder_options *options);

/* EMNIST's files, which begin with the subset's name: "dir/emnist-letters" for
 * dir/emnist-letters-{train,test}-{images-idx3,labels-idx1}-ubyte, raw or .gz. Images as they are.
 */
mg_status mg__import_prefix(mg_import *out, const char *prefix);

#endif
