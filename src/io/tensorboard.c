#define _POSIX_C_SOURCE 200809L /* lstat */
#include "io/tensorboard.h"
#include "io/file.h"
#include "io/run_files.h"
#include "io/text_stream.h"
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- protocol buffers ---- */

/* A message under construction; an event of a few values never fills it. */
typedef struct message {
    uint8_t bytes[512];
    size_t size;
} message;

static void put_byte(message *m, unsigned byte)
{
    assert(m->size < sizeof m->bytes);
    m->bytes[m->size++] = (uint8_t)byte;
}

static void put_little_endian(message *m, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) put_byte(m, value >> 8 * i & 0xff);
}

/* Seven bits a byte, lowest first; the top bit says that more follow. */
static void put_varint(message *m, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) put_byte(m, 0x80 | (value & 0x7f));
    put_byte(m, (unsigned)value);
}

/* How a field's value is written; its key is number << 3 | kind. */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static void put_key(message *m, unsigned number, unsigned kind)
{
    put_varint(m, number << 3 | kind);
}

static void put_double(message *m, unsigned number, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_key(m, number, FIXED64);
    put_little_endian(m, bits, 8);
}

static void put_float(message *m, unsigned number, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_key(m, number, FIXED32);
    put_little_endian(m, bits, 4);
}

static void put_bytes(message *m, unsigned number, const void *bytes, size_t size)
{
    put_key(m, number, BYTES);
    put_varint(m, size);
    for (size_t i = 0; i < size; i++) put_byte(m, ((const uint8_t *)bytes)[i]);
}

/* ---- records ---- */

uint32_t mg__crc32c(const void *bytes, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= ((const uint8_t *)bytes)[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

/* A crc of bytes that hold crcs themselves is weak, hence the mask. */
static uint32_t masked_crc(const message *m)
{
    const uint32_t crc = mg__crc32c(m->bytes, m->size);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static void write_record(FILE *out, const message *data)
{
    message length = {.size = 0}, length_crc = {.size = 0}, data_crc = {.size = 0};
    put_little_endian(&length, data->size, 8);
    put_little_endian(&length_crc, masked_crc(&length), 4);
    put_little_endian(&data_crc, masked_crc(data), 4);
    const message *const parts[] = {&length, &length_crc, data, &data_crc};
    for (int i = 0; i < MG_COUNT_OF(parts); i++) fwrite(parts[i]->bytes, 1, parts[i]->size, out);
}

/* ---- events ---- */

static void write_version(FILE *out, double time)
{
    static const char version[] = "brain.Event:2";
    message event = {.size = 0};
    put_double(&event, 1, time);
    put_bytes(&event, 3, version, strlen(version));
    write_record(out, &event);
}

/* The figures of an epoch that a run shows, as Keras names them. */
typedef struct scalar {
    const char *tag;
    size_t offset; /* into mg_epoch */
} scalar;
static const scalar train_scalars[] = {
    {"epoch_loss", offsetof(mg_epoch, loss)},
    {"epoch_accuracy", offsetof(mg_epoch, accuracy)},
    {"epoch_learning_rate", offsetof(mg_epoch, lr)},
    {"epoch_images_per_sec", offsetof(mg_epoch, images_per_sec)},
    {NULL, 0},
};
static const scalar validation_scalars[] = {
    {"epoch_loss", offsetof(mg_epoch, val_loss)},
    {"epoch_accuracy", offsetof(mg_epoch, val_accuracy)},
    {NULL, 0},
};

/* NaN is no figure: it is left out, and the event with it if that leaves none. */
static void write_epoch(FILE *out, double time, const mg_epoch *epoch, const scalar *scalars)
{
    message event = {.size = 0}, summary = {.size = 0};
    for (; scalars->tag; scalars++) {
        message value = {.size = 0};
        const double figure = *(const double *)((const char *)epoch + scalars->offset);
        if (isnan(figure)) continue;
        put_bytes(&value, 1, scalars->tag, strlen(scalars->tag));
        put_float(&value, 2, (float)figure);
        put_bytes(&summary, 1, value.bytes, value.size);
    }
    if (summary.size == 0) return;
    put_double(&event, 1, time);
    put_key(&event, 2, VARINT);
    put_varint(&event, (uint64_t)epoch->epoch);
    put_bytes(&event, 5, summary.bytes, summary.size);
    write_record(out, &event);
}

/* A link would take the file out of the run's directory. */
static mg_status make_own_dir(const char *path)
{
    struct stat info;
    if (lstat(path, &info) == 0 && S_ISLNK(info.st_mode))
        return mg__fail(MG_ERR_IO, "%s: a symbolic link, expected a directory of the run", path);
    return mg__make_dirs(path);
}

static mg_status write_run(const char *dir, const char *run, const scalar *scalars, double started,
                           const mg_train_state *state)
{
    mg_status st;
    char *run_dir = NULL, *path = NULL, *bytes = NULL;
    size_t size = 0;
    double time = started;
    MG_TRY(mg__run_file(&run_dir, dir, run));
    MG_TRY(mg__run_file(&path, run_dir, MG_RUN_EVENTS));
    FILE *stream = mg__open_text(&bytes, &size);
    if (!stream) MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", path);
    write_version(stream, started);
    for (int i = 0; i < state->history_count; i++) {
        time += state->history[i].seconds;
        write_epoch(stream, time, &state->history[i], scalars);
    }
    if (fclose(stream)) MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", path);
    MG_TRY(make_own_dir(run_dir));
    MG_TRY(mg__file_extend(path, bytes, size));
out:
    free(bytes);
    free(path);
    free(run_dir);
    return st;
}

static bool has_validation(const mg_train_state *state)
{
    for (int i = 0; i < state->history_count; i++)
        if (!isnan(state->history[i].val_loss)) return true;
    return false;
}

mg_status mg__tensorboard_write(const char *dir, double started, const mg_train_state *state)
{
    mg_status st = write_run(dir, MG_RUN_TRAIN, train_scalars, started, state);
    if (!st && has_validation(state))
        st = write_run(dir, MG_RUN_VALIDATION, validation_scalars, started, state);
    return st;
}
