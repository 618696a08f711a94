/* What the options and the history decide between epochs: learning rates, the best epoch, the end.
 * All of it follows from the options and the history alone, so a run that goes on does so exactly.
 */
#ifndef MG_SCHEDULE_H
#define MG_SCHEDULE_H

#include "mnist_gpu/train.h"

/* The optimizer that the options name; also checks all options (options.c). MG_ERR_INVALID names
 * the option. */
mg_status mg__check_options(const mg_train_options *options);

/* The training's length in steps, at least 1. */
uint64_t mg__train_steps(const mg_train_options *o, uint32_t steps_per_epoch);

/* The learning rate that the schedule works on after `count` epochs: o->lr, but for "plateau" what
 * is left of it. */
double mg__base_lr(const mg_train_options *o, const mg_epoch *history, int count);

/* The learning rate of a step (0, 1, ...), base being mg__base_lr() of the epochs before it. With
 * e = step / steps_per_epoch and, for the three that go by steps, t = steps since the warm-up's end
 * of T = mg__train_steps() - warmup:
 *   constant, plateau   base
 *   step                base gamma^floor(e / lr_step)
 *   exponential         base gamma^floor(e)
 *   cosine              lr_min + (base - lr_min) (1 + cos(pi t / T)) / 2    (Loshchilov & Hutter
 *                       2017, eq. 5, without restarts)
 *   linear              base + (lr_min - base) t / T
 *   one-cycle           half cosines from base / 25 up to base at t = .3 T - 1 and down to
 *                       base / 25e4 at T - 1 (Smith & Topin 2018, as PyTorch's OneCycleLR)
 * and in the warm-up's steps (step + 1) / (warmup + 1) of that. */
double mg__schedule_lr(const mg_train_options *o, double base, uint64_t step,
                       uint32_t steps_per_epoch);

/* The best of the epochs, 1, 2, ...: the first whose monitored figure none surpasses, or the last
 * one where there is none for want of validation images. 0 if count is 0. */
int mg__best_epoch(const mg_train_options *o, const mg_epoch *history, int count);

/* So many epochs have passed since one was better than the best before it by more than min_delta
 * (Keras' EarlyStopping). */
int mg__epochs_waited(const mg_train_options *o, const mg_epoch *history, int count);

/* Does the monitored figure need validation images? */
bool mg__monitors_validation(const mg_train_options *o);

#endif
