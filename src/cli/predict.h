/* What predict reads and answers; printed in predict_print.c. */
#ifndef CLI_PREDICT_H
#define CLI_PREDICT_H

#include "class_names.h"
#include "cli.h"
#include "mnist_gpu/image.h"

typedef struct predict_args {
    const char *weights, *model, *device, *kernels, *invert, *save_input;
    int threads, top; /* top 0: all classes, in their order */
    double min_confidence;
    bool json, raw, multi, show;
    bool list; /* more than one picture, no --top: a line for each */
} predict_args;

typedef struct predict_digit {
    uint32_t x, y, width, height; /* in the picture; known of --multi */
    const uint8_t *pixels;        /* as the network's input */
    const float *probabilities;   /* [classes] */
    int *order;                   /* [classes] from the most probable class down, equals in order */
} predict_digit;

/* A picture and its answers: one, or with --multi as many as there are digits. */
typedef struct predict_picture {
    const char *path;
    char *error; /* malloc'd; NULL if it was read */
    int count;
    predict_digit *digits; /* [count] */
} predict_picture;

typedef struct predict_shape {
    const mg_model *model;
    uint32_t channels, height, width;
    int classes;
    class_names names;
} predict_shape;

/* Prints all. MG_ERR_FORMAT: some could not be read (reported, if there are others). */
mg_status predict_print(const predict_picture *pictures, int count, const predict_shape *shape,
                        const predict_args *args);

#endif
