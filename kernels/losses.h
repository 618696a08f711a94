/* What one row of a loss is: a loss is a struct that says what the row's loss and its gradients
 * are; formulas in src/layers. */
#ifndef MG_LOSSES_H
#define MG_LOSSES_H

#include "kernels.h"
#include "reduce.h"

/* The index of the largest of x[0 .. count-1], the first of equals, in every lane. */
static __device__ int warp_argmax(const float *x, int count, int lane)
{
    float best = -INFINITY;
    int index = lane;
    for (int k = lane; k < count; k += 32)
        if (x[k] > best) {
            best = x[k];
            index = k;
        }
    for (int d = 16; d > 0; d /= 2) {
        const float other = __shfl_xor_sync(~0u, best, d);
        const int other_index = __shfl_xor_sync(~0u, index, d);
        if (other > best || (other == best && other_index < index)) {
            best = other;
            index = other_index;
        }
    }
    return index;
}

struct softmax_xent {
    float on_label, spread; /* 1 - smoothing; smoothing / classes */

    /* All lanes write y, the probabilities; the row's loss, in every lane. */
    __device__ float row(float *y, const float *x, int classes, int label, int best, int lane) const
    {
        const float largest = x[best];
        float sum = 0, all = 0;
        for (int k = lane; k < classes; k += 32) {
            sum += expf(x[k] - largest);
            all += distance(largest, x[k], spread);
        }
        sum = warp_sum(sum);
        all = warp_sum(all);
        for (int k = lane; k < classes; k += 32) y[k] = expf(x[k] - largest) / sum;
        return logf(sum) + (distance(largest, x[label], on_label) + all);
    }

    /* factor (largest - x), with halves, for the difference itself may be infinite. */
    static __device__ float distance(float largest, float x, float factor)
    {
        return 2.0f * factor * (0.5f * largest - 0.5f * x);
    }

    /* Of the row's loss, with respect to x. */
    __device__ float gradient(float, float y, bool is_label, int) const
    {
        return y - (is_label ? on_label + spread : spread);
    }
};

static inline softmax_xent smoothed(double smoothing, int classes)
{
    return {(float)(1 - smoothing), (float)(smoothing / classes)};
}

struct mse {
    __device__ float row(float *y, const float *x, int classes, int label, int, int lane) const
    {
        float squares = 0, sum = 0;
        for (int k = lane; k < classes; k += 32) {
            const float error = x[k] - (k == label ? 1.0f : 0.0f);
            squares += error * error;
            sum += positive(x[k]);
        }
        squares = warp_sum(squares);
        sum = warp_sum(sum);
        for (int k = lane; k < classes; k += 32)
            y[k] = sum == 0.0f ? 1.0f / (float)classes : positive(x[k]) / sum;
        return squares / (float)classes;
    }

    __device__ float gradient(float x, float, bool is_label, int classes) const
    {
        return 2.0f / (float)classes * (x - (is_label ? 1.0f : 0.0f));
    }

    /* A NaN stays one. */
    static __device__ float positive(float x) { return x <= 0.0f ? 0.0f : x; }
};

/* A row's loss by one warp: the probabilities to y, what the step's sum needs to rows[row], the
 * prediction to its place. x, y [classes]: the row's own. */
template <class Loss>
static __device__ void finish_row(Loss loss, float *y, mg_step_stat *rows, const float *x, int row,
                                  const mg_feed &feed, int classes, int lane)
{
    const int label = feed.batch_labels[row], best = warp_argmax(x, classes, lane);
    const float row_loss = loss.row(y, x, classes, label, best, lane);
    if (lane != 0) return;
    const bool valid = (uint32_t)row < valid_rows(feed.state);
    rows[row] = {valid ? row_loss : 0.0f, valid && best == label};
    if (valid && feed.predictions)
        feed.predictions[feed.state->cursor + (uint32_t)row] = (uint8_t)best;
}

/* A block's work: the rows' statistics to the step's slot. */
static __device__ inline void sum_rows(const mg_feed &feed, const mg_step_stat *rows, int batch)
{
    mg_step_stat total = {0.0f, 0u};
    for (int row = (int)thread_index(); row < batch; row += THREADS) {
        total.loss += rows[row].loss;
        total.correct += rows[row].correct;
    }
    total.loss = block_sum(total.loss);
    total.correct = block_sum(total.correct);
    if (thread_index() == 0) feed.stats[feed.state->slot] = total;
}

#endif
