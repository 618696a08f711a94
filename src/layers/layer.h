/* What a layer is: its arguments and shapes (mg_layer), and its computation (mg_op, mg_layer_ops).
 *
 * Layouts everywhere: activations [batch][c][h][w] f32 (C-H-W, as PyTorch), conv weights
 * [out][in][r][s], dense weights [out][in], biases [out]. dx, dy, dw, db are the gradients of the
 * mean loss over the batch with respect to x, y, w, b. */
#ifndef MG_LAYER_H
#define MG_LAYER_H

#include "error.h"
#include "layers/augment.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum mg_layer_kind {
#define MG_LAYER(ID, name) MG_LAYER_##ID,
#include "layers/layers.def"
#undef MG_LAYER
    MG_LAYER_COUNT
} mg_layer_kind;

/* ---- the static side: text, arguments, shapes ---- */

typedef struct mg_shape {
    int c, h, w;
} mg_shape;

static inline size_t mg_shape_size(mg_shape s) { return (size_t)s.c * (size_t)s.h * (size_t)s.w; }

enum {
    MG_PAD_SAME = -1
}; /* pad = (kernel - 1) / 2, stride 1, odd kernel: output size = input size */

/* How a parameter tensor starts; formulas in model/init.c. */
typedef enum mg_init_kind {
    MG_INIT_CONSTANT,
    MG_INIT_NORMAL,
    MG_INIT_GLOROT,
    MG_INIT_GLOROT_NORMAL,
    MG_INIT_HE,
    MG_INIT_HE_NORMAL,
    MG_INIT_TORCH
} mg_init_kind;
typedef struct mg_init {
    mg_init_kind kind;
    double value; /* the constant; the standard deviation of MG_INIT_NORMAL */
} mg_init;

struct mg_input_args {
    mg_shape shape;
    double mean, std; /* y = (pixel / 255 - mean) / std */
};
struct mg_conv_args {
    int out, kernel, stride, pad;
    mg_init init, bias;
};
struct mg_pool_args {
    int size, stride;
};
struct mg_leaky_relu_args {
    double slope;
};
struct mg_dropout_args {
    double rate;
};
struct mg_dense_args {
    int out;
    mg_init init, bias;
};
struct mg_batchnorm_args {
    double eps, momentum;
};
struct mg_softmax_xent_args {
    double smoothing; /* the part of the target that is spread over all classes */
};

typedef union mg_layer_args {
    struct mg_input_args input;
    struct mg_conv_args conv;
    struct mg_pool_args pool; /* maxpool, avgpool */
    struct mg_leaky_relu_args leaky_relu;
    struct mg_dropout_args dropout;
    struct mg_dense_args dense;
    struct mg_batchnorm_args batchnorm;
    struct mg_softmax_xent_args softmax_xent;
} mg_layer_args;

/* One row of a layer's argument table. */
typedef enum mg_arg_kind {
    MG_ARG_INT,
    MG_ARG_FLOAT,
    MG_ARG_SHAPE,
    MG_ARG_INIT /* a number (the constant), normal:DEVIATION, or another word */
} mg_arg_kind;
typedef struct mg_arg_word {
    const char *word; /* a value that can be given by name, as in pad=same */
    int value;
} mg_arg_word;
typedef struct mg_arg {
    const char *key; /* MG_ARG_SHAPE has no key: it is written first, as in "input 1x28x28" */
    mg_arg_kind kind;
    size_t offset; /* into mg_layer_args */
    bool required;
    double value;             /* the default where it is not required; of MG_ARG_INIT the kind */
    double min, max;          /* the range allowed, both included */
    const mg_arg_word *words; /* ends with word NULL; or NULL */
} mg_arg;

/* A parameter tensor. Offsets are into the parameter arena and into every arena of its shape
 * (gradients, Adam's m and v), in floats, each a multiple of 64 (256 bytes). */
typedef struct mg_tensor {
    char name[48]; /* "conv1.weight" */
    int rank;
    int dim[4];
    size_t count, offset;
    mg_init init;
    int fan_in, fan_out; /* the layer's inputs to an output, and outputs that an input goes to */
    bool trainable;      /* else the layer's forward updates it, in training, and no optimizer */
} mg_tensor;

enum { MG_LAYER_TENSORS = 4 }; /* weight, bias, running_mean, running_var */

typedef struct mg_layer {
    mg_layer_kind kind;
    char name[24]; /* kind + ordinal among its kind: "conv1"; layers without parameters too */
    int line;      /* in the model text */
    int index;     /* in the model: 0 for the input layer */
    mg_layer_args args;
    mg_shape in, out;
    int tensor_count;
    mg_tensor tensors[MG_LAYER_TENSORS];
} mg_layer;

typedef struct mg_layer_type {
    const char *name;
    const mg_arg *args;
    int arg_count;
    bool is_loss;
    /* Sets layer->out and the tensors' name suffix ("weight"), shape and fans from layer->in and
     * layer->args. The message of a failure does not name the line: the parser puts it before. */
    mg_status (*infer)(mg_layer *layer);
    /* Multiply-adds of the forward pass for one image, times two. NULL: none worth counting. */
    uint64_t (*flops)(const mg_layer *layer);
    const char *foreign; /* name suffix of a tensor that PyTorch's files have for the layer beyond
                            its own, and that is ignored; or NULL */
} mg_layer_type;

extern const mg_layer_type *const mg_layer_types[MG_LAYER_COUNT];

/* Declares tensor `index` of the layer, trainable and starting at 0 unless infer(), which this is
 * for, sets it otherwise. */
void mg__layer_tensor(mg_layer *layer, int index, const char *suffix, int rank, const int dim[],
                      int fan_in, int fan_out);

/* ---- the running side: one layer, bound to buffers ---- */

typedef struct mg_backend mg_backend;

/* What changes from step to step. It lives in device memory, so that a recorded step can be
 * replayed: enqueued work reads it there, `advance` updates it, the host writes it between chunks
 * only. */
typedef struct mg_step_state {
    uint64_t seed;
    uint32_t step;   /* optimizer steps done since the run began */
    uint32_t cursor; /* position in the epoch's order of the batch's first image */
    uint32_t count;  /* images in the epoch */
    uint32_t batch;  /* rows of a full batch; the rows of this one: min(batch, count - cursor) */
    uint32_t slot;   /* the step's place in the epoch: where its learning rate is, and where its
                        statistics go */
    uint32_t reserved[9];
} mg_step_state;

static inline uint32_t mg_step_rows(const mg_step_state *s)
{
    uint32_t left = s->count > s->cursor ? s->count - s->cursor : 0;
    return left < s->batch ? left : s->batch;
}

/* One step's statistics, summed over the batch's valid rows in a fixed order. */
typedef struct mg_step_stat {
    float loss;       /* sum of the rows' losses */
    uint32_t correct; /* rows whose largest output is their label (the first of equals) */
} mg_step_stat;

/* The data that a pass reads and the statistics that it writes: pointers into the backend's memory,
 * fixed for the pass's life. */
typedef struct mg_feed {
    const uint8_t *pixels; /* [images][c][h][w] */
    const uint8_t *labels; /* [images] */
    const uint32_t *order; /* [count] indices of images, or NULL for 0, 1, 2, ... */
    mg_step_state *state;  /* one */
    uint8_t *batch_labels; /* [batch], written by the input layer, read by the loss */
    mg_step_stat *stats;   /* [slots], written by the loss */
    const float *lr;       /* [slots]: each step's learning rate; NULL if not training */
    uint8_t *predictions;  /* [count] by position in the epoch, written by the loss; or NULL */
    mg_augment augment;    /* what the input layer of a training pass does to the images */
} mg_feed;

/* A layer in a pass: all that its forward and backward need. The pointers are fixed for the pass's
 * life. Rows from mg_step_rows() to batch-1 of a short last batch are computed like any other (the
 * input layer zeroes them); the loss keeps them out of the statistics and sets their dx to 0, and
 * so no gradient sees them. batchnorm keeps them out of its statistics too. */
typedef struct mg_op {
    const mg_layer *layer;
    mg_backend *backend;
    const mg_feed *feed;
    int batch;
    bool training;      /* false: backward is never called */
    const float *x;     /* [batch][in]; NULL for the input layer */
    float *y;           /* [batch][out]; the loss writes the class probabilities */
    const float *dy;    /* [batch][out]; NULL for the loss */
    float *dx;          /* [batch][in]; NULL where nothing needs it: the first layer's */
    const float *w, *b; /* the parameters, or NULL */
    float *dw, *db;     /* backward overwrites them; NULL if not training */
    float *running_mean, *running_var; /* forward updates them if training, else reads them; NULL
                                          for layers without */
    const struct mg_update *update; /* not NULL: backward updates w and b itself (backend.h), after
                                       dx, and may leave dw and db unwritten */
    void *impl;                     /* the backend's own data, made by prepare, freed by release */
    void *fused_impl; /* the same for the fused group that begins here, see mg_fused */
} mg_op;

/* Does this input layer augment? Evaluation never does. */
static inline bool mg__op_augments(const mg_op *op)
{
    return op->training && mg__augment_any(&op->feed->augment);
}

/* A layer's computation on one backend. Rules for forward and backward: they enqueue; they never
 * synchronise, never allocate, and read no host value that changes between steps. They write every
 * element of their outputs (y; dx if not NULL, dw, db) and nothing else. */
typedef struct mg_layer_ops {
    mg_status (*prepare)(mg_op *op);  /* may be NULL: once per op, before anything is enqueued */
    mg_status (*forward)(mg_op *op);  /* must be there */
    mg_status (*backward)(mg_op *op); /* must be there, but for the input layer */
    void (*release)(mg_op *op);       /* may be NULL */
    bool updates;                     /* backward honours op->update */
} mg_layer_ops;

#define MG_LAYER(ID, name)                                                                         \
    extern const mg_layer_type mg_type_##name;                                                     \
    extern const mg_layer_ops mg_ref_##name, mg_cpu_##name, mg_cuda_##name;
#include "layers/layers.def"
#undef MG_LAYER

/* The rows of an argument table that say how weights and biases start: init=, by default Glorot's,
 * and bias=, by default 0. */
extern const mg_arg_word mg__weight_words[], mg__bias_words[];
#define MG_INIT_ARGS(layer)                                                                        \
    {.key = "init",                                                                                \
     .kind = MG_ARG_INIT,                                                                          \
     .offset = offsetof(mg_layer_args, layer.init),                                                \
     .value = MG_INIT_GLOROT,                                                                      \
     .min = -1e6,                                                                                  \
     .max = 1e6,                                                                                   \
     .words = mg__weight_words},                                                                   \
    {                                                                                              \
        .key = "bias", .kind = MG_ARG_INIT, .offset = offsetof(mg_layer_args, layer.bias),         \
        .value = MG_INIT_CONSTANT, .min = -1e6, .max = 1e6, .words = mg__bias_words                \
    }

/* What infer() is for layers that work on each number alone: the output has the input's shape. */
mg_status mg__infer_elementwise(mg_layer *layer);

/* The arguments and the shape rule of maxpool and avgpool (pool.c). */
extern const mg_arg mg__pool_args[];
enum { MG_POOL_ARGS = 2 };
mg_status mg__pool_infer(mg_layer *layer);

/* The padding of a conv layer in pixels, `same` resolved. */
int mg__conv_pad(const mg_layer *layer);

/* Forward FLOPs for one image; backward is about twice that. */
uint64_t mg__layer_flops(const mg_layer *layer);

#endif
