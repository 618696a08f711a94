/* TensorBoard event files: TFRecord framing around protocol buffers, both small enough to be
 * written by hand.
 *
 * A record (tensorflow/core/lib/io/record_writer.h), little-endian:
 *     u64 length   u32 masked crc of length   length bytes   u32 masked crc of them
 * Its bytes are an Event (tensorflow/core/util/event.proto, .../framework/summary.proto):
 *     Event   { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5;
 * } Summary { repeated Value value = 1; }      Value { string tag = 1; float simple_value = 2; }
 * The first one holds the file_version "brain.Event:2". */
#ifndef MG_TENSORBOARD_H
#define MG_TENSORBOARD_H

#include "mnist_gpu/train.h"

/* Makes <dir>/train/events.out.tfevents and, if there are validation figures, the same under
 * <dir>/validation hold an event per epoch. As Keras' callback does it: the two are runs to
 * TensorBoard, which draws equal tags of several runs (epoch_loss, epoch_accuracy) into one chart.
 * Steps are epochs, from 1; times are `started` (Unix time) plus the epochs' durations, so that the
 * bytes follow from the history and a file of fewer epochs is their beginning: it is extended,
 * which a running TensorBoard follows. MG_ERR_IO, MG_ERR_MEMORY. */
mg_status mg__tensorboard_write(const char *dir, double started, const mg_train_state *state);

/* CRC-32C (Castagnoli; RFC 3720, appendix B.4). */
uint32_t mg__crc32c(const void *bytes, size_t size);

#endif
