/* 5x5 convolutions inside a block: planes of images in shared memory, padded with zeros, and strips
 * of outputs, whose inputs overlap and stay in registers. */
#ifndef MG_STRIPS_H
#define MG_STRIPS_H

#include "kernels.h"
#include "reduce.h"

enum { KERNEL = 5, TAPS = KERNEL * KERNEL };

/* put(i, get(i)) for i = 0 .. COUNT-1 by the BLOCK threads of a block. A thread has up to 8 loads
 * on their way before it waits for the first: get() is to load without conditions. Past the end it
 * is asked for the last number again. */
template <int COUNT, int BLOCK, class Get, class Put> static __device__ void stage(Get get, Put put)
{
    enum { ROUNDS = (COUNT + BLOCK - 1) / BLOCK, IN_FLIGHT = ROUNDS < 8 ? ROUNDS : 8 };
    for (int first = (int)threadIdx.x; first < COUNT; first += IN_FLIGHT * BLOCK) {
        decltype(get(0)) value[IN_FLIGHT];
        UNROLL
        for (int k = 0; k < IN_FLIGHT; k++) value[k] = get(min(first + k * BLOCK, COUNT - 1));
        UNROLL
        for (int k = 0; k < IN_FLIGHT; k++)
            if (first + k * BLOCK < COUNT) put(first + k * BLOCK, value[k]);
    }
}

/* Planes of SIZE x SIZE numbers with zeros around them. An odd pitch: the rows that a warp reads at
 * once begin in different banks. */
template <int SIZE_, int PAD_> struct padded {
    enum {
        SIZE = SIZE_,
        PAD = PAD_,
        WIDTH = SIZE + 2 * PAD,
        PITCH = WIDTH | 1,
        PLANE = WIDTH * PITCH
    };

    /* Where number i of a plane is. */
    static __device__ int place(int plane, int i)
    {
        return plane * PLANE + (i / SIZE + PAD) * PITCH + i % SIZE + PAD;
    }

    /* The zeros, before a barrier; numbers are put into their places after it. */
    template <int PLANES, int BLOCK> static __device__ void clear(float *out)
    {
        for (int i = (int)threadIdx.x; PAD > 0 && i < PLANES * PLANE; i += BLOCK) out[i] = 0.0f;
    }
};

/* Convolutions of staged planes by strips of ROWS_EACH x STRIP outputs of EACH channels. The sums
 * over parts of the INPUTS channels go to shared memory, where operator() adds them up. */
template <int INPUTS, int SIZE, int CHANNELS, int EACH, int ROWS_EACH, int STRIP, int SPLIT>
struct strips {
    enum {
        ROWS = SIZE / ROWS_EACH,
        TILES = ROWS * (SIZE / STRIP) * (CHANNELS / EACH),
        VALUES = EACH * ROWS_EACH * STRIP,
        THREADS_USED = TILES * SPLIT,
        FLOATS = THREADS_USED * VALUES
    };
    static_assert(SIZE % ROWS_EACH == 0 && SIZE % STRIP == 0 && CHANNELS % EACH == 0, "no rest");

    /* acc[c][r][q] += the taps over one channel; in: the plane where the strip begins; w: of the
     * strip's first output channel, the others w_step apart. FLIP: taps in reverse. */
    template <bool FLIP>
    static __device__ void add_channel(float (&acc)[VALUES], const float *in, int pitch,
                                       const float *w, int w_step)
    {
        UNROLL
        for (int row = 0; row < ROWS_EACH + KERNEL - 1; row++) {
            float x[STRIP + KERNEL - 1];
            UNROLL
            for (int q = 0; q < STRIP + KERNEL - 1; q++) x[q] = in[row * pitch + q];
            UNROLL
            for (int i = 0; i < KERNEL * EACH * KERNEL; i++) {
                const int r = row - i / (EACH * KERNEL), c = i / KERNEL % EACH, s = i % KERNEL;
                if (r < 0 || r >= ROWS_EACH) continue;
                const int tap = (row - r) * KERNEL + s;
                const float weight = w[c * w_step + (FLIP ? TAPS - 1 - tap : tap)];
                UNROLL
                for (int q = 0; q < STRIP; q++)
                    acc[(c * ROWS_EACH + r) * STRIP + q] += weight * x[q + s];
            }
        }
    }

    /* All threads of the block. `sums` may be where `in` and `w` are; w: [CHANNELS][...] with steps
     * w_step from one output channel to the next, w_input from one input channel to the next. */
    template <bool FLIP, class Plane>
    static __device__ void convolve(float *sums, const float *in, const float *w, int w_step,
                                    int w_input)
    {
        const int thread = (int)threadIdx.x, tile = thread % TILES, split = thread / TILES;
        const int row = tile % ROWS * ROWS_EACH, strip = tile / ROWS % (SIZE / STRIP) * STRIP;
        const int channel = tile / ROWS / (SIZE / STRIP) * EACH;
        float acc[VALUES] = {};
        for (int c = split; thread < THREADS_USED && c < INPUTS; c += SPLIT)
            add_channel<FLIP>(acc, in + c * Plane::PLANE + row * Plane::PITCH + strip, Plane::PITCH,
                              w + channel * w_step + c * w_input, w_step);
        __syncthreads(); /* everybody has read `in` and `w` */
        UNROLL
        for (int v = 0; v < VALUES; v++)
            if (thread < THREADS_USED) sums[v * THREADS_USED + thread] = acc[v];
        __syncthreads();
    }

    /* The output (row, column) of a channel. */
    static __device__ float at(const float *sums, int channel, int row, int column)
    {
        const int tile =
            (channel / EACH * (SIZE / STRIP) + column / STRIP) * ROWS + row / ROWS_EACH;
        const int v = (channel % EACH * ROWS_EACH + row % ROWS_EACH) * STRIP + column % STRIP;
        float sum = 0;
        UNROLL
        for (int split = 0; split < SPLIT; split++)
            sum += sums[v * THREADS_USED + split * TILES + tile];
        return sum;
    }
};

#endif
