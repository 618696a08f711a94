/* The cases of single layers: a line of model text, its input, the batch. Every layer of every
 * preset comes on top (layers.c). A new layer has its lines here. */
#include "check/case.h"

const mg_layer_case mg_layer_cases[] = {
    {"input 1x1x1", NULL, 1},
    {"input 1x28x28 mean=0.1307 std=0.3081", NULL, 7},
    {"input 3x5x9 mean=-2.5 std=0.01", NULL, 32},
    {"input 2x3x17 mean=0.5 std=100", NULL, 257},
    /* the pixels as they are: std=1/255 */
    {"input 1x28x28 std=0.00392156862745098", NULL, 7},
    {"input 3x13x30 std=0.00392156862745098", NULL, 5},
    {"input 1x9x1 std=0.00392156862745098", NULL, 257},
    {"input 2x64x71 std=0.00392156862745098", NULL, 1},

    /* kernels 1 to 7, every kind of padding */
    {"conv out=1 kernel=1", "1x1x1", 1},
    {"conv out=5 kernel=1", "3x4x6", 7},
    {"conv out=4 kernel=2", "2x5x5", 7},
    {"conv out=3 kernel=2 pad=1", "1x6x4", 2},
    {"conv out=6 kernel=3 pad=same", "3x7x5", 7},
    {"conv out=7 kernel=3", "2x9x6", 7},
    {"conv out=8 kernel=3 pad=2", "4x5x8", 2},
    {"conv out=6 kernel=5 pad=same", "1x28x28", 7},
    {"conv out=13 kernel=5", "3x12x9", 2},
    {"conv out=3 kernel=5 pad=4", "2x3x7", 2},
    {"conv out=5 kernel=7 pad=same", "2x8x11", 2},
    {"conv out=2 kernel=7", "1x7x7", 7}, /* one output */
    {"conv out=2 kernel=4 pad=3", "1x2x3", 2},
    /* strides, some with rows and columns that no window reaches */
    {"conv out=4 kernel=3 stride=2 pad=1", "3x9x8", 7},
    {"conv out=5 kernel=5 stride=2", "1x14x11", 7},
    {"conv out=3 kernel=3 stride=3", "2x11x10", 2},
    {"conv out=4 kernel=2 stride=3 pad=1", "2x8x9", 7}, /* stride > kernel */
    {"conv out=3 kernel=1 stride=2", "4x5x6", 2},
    /* channels and widths around those of vectors and tiles; batches */
    {"conv out=16 kernel=3 pad=same", "8x5x16", 2},
    {"conv out=17 kernel=3 pad=same", "9x4x17", 2},
    {"conv out=33 kernel=3", "16x5x5", 2},
    {"conv out=31 kernel=2", "1x3x35", 2},
    {"conv out=2 kernel=3 pad=same", "1x5x64", 3},
    {"conv out=6 kernel=5 pad=same", "1x9x7", 32},
    {"conv out=3 kernel=3 pad=same", "2x4x3", 257},
    {"conv out=2 kernel=5", "1x5x5", 257},

    {"relu", "1x1x1", 1},
    {"relu", "3x5x7", 7},
    {"relu", "6x14x14", 32},
    {"relu", "1x1x3", 257},
    {"relu", "4093x1x1", 2},

    {"leaky_relu", "1x1x1", 1},
    {"leaky_relu", "3x5x7", 7},
    {"leaky_relu slope=0.25", "6x14x14", 32},
    {"leaky_relu slope=0", "2x3x5", 7},
    {"leaky_relu slope=1", "1x1x3", 257},

    {"tanh", "1x1x1", 1},
    {"tanh", "3x5x7", 7},
    {"tanh", "6x14x14", 32},
    {"tanh", "1x1x3", 257},
    {"tanh", "4093x1x1", 2},

    {"sigmoid", "1x1x1", 1},
    {"sigmoid", "3x5x7", 7},
    {"sigmoid", "6x14x14", 32},
    {"sigmoid", "1x1x3", 257},
    {"sigmoid", "4093x1x1", 2},

    {"maxpool size=2", "1x2x2", 1},
    {"maxpool size=2", "3x7x9", 7}, /* a row and a column left over */
    {"maxpool size=2", "6x28x28", 7},
    {"maxpool size=2", "4x6x34", 3},
    {"maxpool size=3", "2x10x11", 7},
    {"maxpool size=2 stride=1", "2x6x5", 7}, /* windows overlap */
    {"maxpool size=3 stride=2", "3x9x12", 7},
    {"maxpool size=3 stride=1", "1x5x19", 2},
    {"maxpool size=2 stride=3", "2x9x8", 7}, /* gaps between them */
    {"maxpool size=1", "2x3x4", 2},
    {"maxpool size=5", "1x5x5", 7},
    {"maxpool size=2", "2x5x4", 257},

    {"avgpool size=2", "1x2x2", 1},
    {"avgpool size=2", "3x7x9", 7}, /* a row and a column left over */
    {"avgpool size=2", "6x28x28", 7},
    {"avgpool size=3", "2x10x11", 7},
    {"avgpool size=2 stride=1", "2x6x5", 7}, /* windows overlap */
    {"avgpool size=3 stride=2", "3x9x12", 7},
    {"avgpool size=2 stride=3", "2x9x8", 7}, /* gaps between them */
    {"avgpool size=1", "2x3x4", 2},
    {"avgpool size=7", "5x7x7", 7}, /* of whole planes */
    {"avgpool size=2", "2x5x4", 257},

    /* masks are drawn for four numbers at once: sizes with every rest */
    {"dropout", "1x1x1", 1},
    {"dropout", "3x5x7", 7},
    {"dropout rate=0.25", "1x5x5", 2},
    {"dropout rate=0.1", "6x14x14", 32},
    {"dropout rate=0.9", "1x1x3", 257},
    {"dropout rate=0", "2x3x5", 7},
    {"dropout rate=0.999", "4093x1x1", 7},

    {"dense out=1", "1x1x1", 1},
    {"dense out=2", "1x1x1", 257},
    {"dense out=10", "1x3x5", 7},
    {"dense out=47", "31x1x1", 32},
    {"dense out=256", "17x1x1", 2},
    {"dense out=3", "3x9x7", 32},
    {"dense out=33", "65x1x1", 33},
    {"dense out=64", "128x1x1", 16},
    {"dense out=127", "129x1x1", 7},
    {"dense out=5", "1x40x50", 7}, /* long sums */
    {"dense out=1025", "3x1x1", 7},
    {"dense out=10", "7x1x1", 257},
    {"dense out=10", "200x1x1", 1},

    {"batchnorm", "1x1x1", 1}, /* one value: no variance */
    {"batchnorm", "1x1x1", 2},
    {"batchnorm", "1x5x7", 1},
    {"batchnorm", "3x5x7", 7},
    {"batchnorm", "6x28x28", 7},
    {"batchnorm", "17x3x3", 32},
    {"batchnorm", "2x4x3", 257},
    {"batchnorm", "129x1x1", 7},
    {"batchnorm", "3x1x1", 257},
    {"batchnorm", "1x40x50", 33}, /* long sums */
    {"batchnorm eps=0.001 momentum=0.01", "3x5x7", 7},
    {"batchnorm eps=1 momentum=1", "2x3x8", 2},
    {"batchnorm momentum=0", "2x3x8", 2},

    {"softmax_xent", "2x1x1", 1},
    {"softmax_xent", "10x1x1", 7},
    {"softmax_xent", "10x1x1", 32},
    {"softmax_xent", "47x1x1", 33},
    {"softmax_xent", "256x1x1", 7},
    {"softmax_xent", "3x1x1", 257},
    {"softmax_xent", "31x1x1", 257},
    {"softmax_xent smoothing=0.1", "10x1x1", 1},
    {"softmax_xent smoothing=0.1", "10x1x1", 7},
    {"softmax_xent smoothing=0.3", "47x1x1", 33},
    {"softmax_xent smoothing=1", "3x1x1", 257},
    {"softmax_xent smoothing=0.01", "256x1x1", 7},

    {"mse", "2x1x1", 1},
    {"mse", "10x1x1", 7},
    {"mse", "47x1x1", 33},
    {"mse", "256x1x1", 7},
    {"mse", "3x1x1", 257},

    {0},
};
