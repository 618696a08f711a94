#include "check/nets.h"
#include "philox.h"
#include <stdio.h>
#include <string.h>

#define ADAM                                                                                       \
    {                                                                                              \
        .kind = MG_OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f                    \
    }
#define MOMENTUM(m)                                                                                \
    {                                                                                              \
        .kind = MG_OPTIMIZER_SGD, .momentum = (m)                                                  \
    }
#define SGD MOMENTUM(0)
#define NESTEROV                                                                                   \
    {                                                                                              \
        .kind = MG_OPTIMIZER_SGD, .momentum = 0.9f, .nesterov = true, .weight_decay = 0.125f       \
    }
#define ADAMW                                                                                      \
    {                                                                                              \
        .kind = MG_OPTIMIZER_ADAMW, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f,                  \
        .weight_decay = 0.125f                                                                     \
    }
#define RMSPROP                                                                                    \
    {                                                                                              \
        .kind = MG_OPTIMIZER_RMSPROP, .rho = 0.9f, .eps = 1e-7f, .weight_decay = 0.125f,           \
        .clip_value = 0.25f                                                                        \
    }

/* Every chain that a backend may fuse, at even and odd sizes, small and wide. */
const mg_net_case mg_net_cases[] = {
    {"1x28x28", "conv out=6 kernel=5 pad=same; relu; maxpool size=2; dense out=10", 4, false, ADAM},
    {"1x28x28",
     "conv out=6 kernel=5; relu; maxpool size=2; conv out=16 kernel=5; relu; maxpool size=2; dense "
     "out=30; relu; dense out=10",
     3, true, ADAM},
    {"1x27x21", "conv out=5 kernel=3 pad=same; relu; maxpool size=2; dense out=10", 7, true, SGD},
    {"3x12x9",
     "conv out=16 kernel=3 pad=1; relu; maxpool size=2; conv out=17 kernel=3 pad=same; relu; "
     "maxpool size=2; dense out=47",
     5, false, MOMENTUM(0.9f)},
    {"1x13x13", "conv out=8 kernel=5 stride=2 pad=2; relu; maxpool size=3 stride=2; dense out=3", 7,
     false, ADAM},
    {"1x14x15", "conv out=4 kernel=5 pad=2; relu; maxpool size=2 stride=1; dense out=10", 4, true,
     ADAM},
    /* the presets' own shapes, whole batches of images and more */
    {"1x28x28",
     "conv out=6 kernel=5 pad=same; relu; maxpool size=2; conv out=16 kernel=5 pad=same; relu; "
     "maxpool size=2; conv out=32 kernel=5 pad=same; relu; dense out=200; relu; dense out=10",
     35, true, ADAM},
    {"1x28x28",
     "conv out=6 kernel=5 pad=2; relu; maxpool size=2; conv out=16 kernel=5; relu; maxpool size=2; "
     "dense out=120; relu; dense out=84; relu; dense out=10",
     19, true, SGD},
    /* conv + relu */
    {"2x9x10", "conv out=7 kernel=3 pad=same; relu; dense out=10", 7, false, SGD},
    {"1x16x16", "conv out=6 kernel=5 pad=same; relu; conv out=32 kernel=5; relu; dense out=10", 2,
     false, ADAM},
    {"1x8x8",
     "conv out=3 kernel=1; relu; conv out=4 kernel=2; relu; conv out=5 kernel=7; relu; dense out=2",
     32, true, ADAM},
    /* conv + maxpool, conv + maxpool + relu, conv alone */
    {"1x12x12",
     "conv out=6 kernel=5 pad=same; maxpool size=2; conv out=3 kernel=3; maxpool size=2; dense "
     "out=10",
     7, false, ADAM},
    {"3x11x7", "conv out=5 kernel=3 pad=same; maxpool size=2; relu; dense out=10", 7, true, SGD},
    {"1x6x6", "conv out=4 kernel=3; conv out=10 kernel=4", 7, false, ADAM},
    /* relu and maxpool that follow neither */
    {"1x9x9", "relu; maxpool size=2; conv out=3 kernel=2; relu; relu; maxpool size=2; dense out=10",
     4, false, ADAM},
    /* dense + relu, dense alone */
    {"1x28x28", "dense out=32; relu; dense out=10", 7, true, ADAM},
    {"1x5x7", "dense out=10", 32, false, NESTEROV},
    {"31x1x1", "dense out=129; relu; dense out=65; relu; dense out=256", 7, false, MOMENTUM(0.9f)},
    {"1x3x3", "dense out=4; relu; dense out=2", 257, true, ADAMW},
    {"1x1x1", "dense out=2", 1, false, RMSPROP},
    {"2x3x5", "conv out=1 kernel=2; relu; maxpool size=2; dense out=2", 1, false, ADAM},
    /* other losses */
    {"1x9x8", "conv out=4 kernel=3; relu; maxpool size=2; dense out=10; mse", 7, true, ADAM},
    {"2x3x5", "dense out=12; relu; dense out=3; softmax_xent smoothing=0.1", 33, true, SGD},
    /* batchnorm, between the layers of chains too */
    {"1x12x12",
     "conv out=6 kernel=5 pad=same; batchnorm; relu; maxpool size=2; conv out=7 kernel=3; relu; "
     "batchnorm momentum=0.5; dense out=20; batchnorm; relu; dense out=10",
     16, true, ADAM},
    {"3x9x7", "batchnorm; conv out=5 kernel=3; batchnorm eps=0.01; maxpool size=2; dense out=10", 7,
     false, SGD},
    {"31x1x1", "dense out=33; relu; batchnorm; dense out=10", 33, true, MOMENTUM(0.9f)},
    /* layers that nothing is fused with */
    {"1x14x13",
     "conv out=6 kernel=5 pad=same; leaky_relu; avgpool size=2; dropout rate=0.25; dense out=20; "
     "tanh; dropout; dense out=10",
     7, true, SGD},
    {"3x9x8",
     "conv out=5 kernel=3; sigmoid; avgpool size=3 stride=2; tanh; dropout rate=0.1; dense out=3",
     5, false, MOMENTUM(0.9f)},
    {"31x1x1", "dropout rate=0.2; dense out=33; sigmoid; dense out=12; leaky_relu; dense out=2", 32,
     false, SGD},
    {0},
};

/* ---- random nets ---- */

typedef struct dice {
    uint64_t seed;
    uint32_t net, rolled;
} dice;

/* low to high, both included */
static int roll(dice *d, int low, int high)
{
    const uint32_t word = mg__philox(d->seed, d->rolled++, 0, d->net, 0x6e657473u /* nets */).v[0];
    return low + (int)((uint64_t)word * (uint64_t)(high - low + 1) >> 32);
}

static bool chance(dice *d, int percent) { return roll(d, 1, 100) <= percent; }
static int least(int a, int b) { return a < b ? a : b; }

/* A net being written: its text, and the shape that the next layer is given. */
typedef struct draft {
    dice dice;
    char *text;
    size_t size, used;
    int c, h, w, work; /* work: multiply-adds of an image so far */
    bool normed;       /* with batchnorm layers */
    bool whole;        /* only layers that keep numbers whole */
} draft;

MG_PRINTF(2, 3) static void put(draft *n, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    n->used += (size_t)vsnprintf(n->text + n->used, n->size - n->used, fmt, args);
    va_end(args);
}

static void put_conv(draft *n)
{
    static const int kernels[] = {1, 2, 3, 3, 5, 5, 7};
    dice *d = &n->dice;
    const int out = chance(d, 20) ? roll(d, 13, 34) : roll(d, 1, 12);
    int kernel = kernels[roll(d, 0, 6)], stride = chance(d, 75) ? 1 : roll(d, 2, 3), pad = 0;
    const bool same = stride == 1 && kernel % 2 && chance(d, 40);
    if (same)
        pad = (kernel - 1) / 2;
    else if (chance(d, 40))
        pad = roll(d, 0, kernel - 1);
    if (least(n->h, n->w) + 2 * pad < kernel) kernel = stride = 1, pad = 0;
    put(n, "; conv out=%d kernel=%d", out, kernel);
    if (stride > 1) put(n, " stride=%d", stride);
    if (pad && same) put(n, " pad=same");
    if (pad && !same) put(n, " pad=%d", pad);
    n->h = (n->h + 2 * pad - kernel) / stride + 1;
    n->w = (n->w + 2 * pad - kernel) / stride + 1;
    n->work += out * n->c * kernel * kernel * n->h * n->w;
    n->c = out;
}

static void put_activation(draft *n)
{
    static const char *const others[] = {"leaky_relu", "leaky_relu slope=0.2", "tanh", "sigmoid"};
    if (n->whole || chance(&n->dice, 40))
        put(n, "; relu");
    else
        put(n, "; %s", others[roll(&n->dice, 0, 3)]);
}

static void put_dropout(draft *n)
{
    if (!n->whole && chance(&n->dice, 30)) put(n, "; dropout rate=0.%d", roll(&n->dice, 0, 9));
}

static void put_pool(draft *n)
{
    const int size = roll(&n->dice, 2, 3),
              stride = chance(&n->dice, 70) ? size : roll(&n->dice, 1, 3);
    if (least(n->h, n->w) < size) return;
    put(n, "; %s size=%d", n->whole || chance(&n->dice, 50) ? "maxpool" : "avgpool", size);
    if (stride != size) put(n, " stride=%d", stride);
    n->h = (n->h - size) / stride + 1;
    n->w = (n->w - size) / stride + 1;
}

static void put_dense(draft *n, int out)
{
    put(n, "; dense out=%d", out);
    n->work += out * n->c * n->h * n->w;
    n->c = out;
    n->h = n->w = 1;
}

static void put_layers(draft *n)
{
    static const int classes[] = {2, 3, 10, 10, 10, 47};
    const int convs = roll(&n->dice, 1, 4), denses = roll(&n->dice, 0, 3);
    const int outputs = classes[roll(&n->dice, 0, 5)];
    for (int i = 0; i < convs; i++) {
        put_conv(n);
        /* of few values that happen to be alike, rounding errors would be all that is left */
        if (n->normed && n->h * n->w >= 9) put(n, "; batchnorm");
        if (chance(&n->dice, 80)) put_activation(n);
        if (chance(&n->dice, 50)) put_pool(n);
        if (chance(&n->dice, 10)) put_activation(n);
        put_dropout(n);
    }
    if (!denses && n->h == n->w) { /* a convolution over all that is left */
        put(n, "; conv out=%d kernel=%d", outputs, n->h);
        n->work += outputs * n->c * n->h * n->w;
        return;
    }
    for (int i = 1; i < denses; i++) {
        put_dense(n, roll(&n->dice, 1, 70));
        if (chance(&n->dice, 80)) put_activation(n);
        put_dropout(n);
    }
    put_dense(n, outputs);
}

void mg__random_net(mg_random_net *out, uint64_t seed, int index)
{
    static const int batches[] = {1, 2, 3, 5, 7, 16, 33};
    static const mg_optimizer_spec optimizers[] = {ADAM,     SGD,   MOMENTUM(0.9f),
                                                   NESTEROV, ADAMW, RMSPROP};
    enum { MOST_WORK = 400000 }; /* so that hundreds of nets are a matter of seconds */
    draft n = {.dice = {.seed = seed, .net = (uint32_t)index},
               .text = out->layers,
               .size = sizeof out->layers};
    n.whole = chance(&n.dice, 75);
    n.c = chance(&n.dice, 70) ? 1 : roll(&n.dice, 2, 3);
    n.h = roll(&n.dice, 4, 20);
    n.w = chance(&n.dice, 40) ? n.h : roll(&n.dice, 4, 20);
    snprintf(out->input, sizeof out->input, "%dx%dx%d", n.c, n.h, n.w);
    n.normed = chance(&n.dice, 20);
    put_layers(&n);
    int batch = batches[roll(&n.dice, 0, 6)];
    while (batch > 1 && batch * n.work > MOST_WORK) batch--;
    out->as_case =
        (mg_net_case){.input = out->input,
                      .layers = out->layers + 2, /* past the first "; " */
                      .batch = batch,
                      .short_batch = chance(&n.dice, 30),
                      .optimizer = optimizers[roll(&n.dice, 0, MG_COUNT_OF(optimizers) - 1)]};
}
