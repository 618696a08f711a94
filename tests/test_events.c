/* TensorBoard's event files: their bytes, and that they grow with the history. */
#define _XOPEN_SOURCE 700 /* mkdtemp, nftw */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "io/file.h"
#include "io/tensorboard.h"
#include "scratch.h"
#include <math.h>

#define TRAIN      "r/train/events.out.tfevents"
#define VALIDATION "r/validation/events.out.tfevents"

/* RFC 3720, appendix B.4, and the check value of every list of CRCs. */
static void known_crcs(void **unused)
{
    (void)unused;
    uint8_t bytes[32];
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(mg__crc32c(bytes, sizeof bytes), 0x8a9136aau);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(mg__crc32c(bytes, sizeof bytes), 0x62a8ab43u);
    for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)i;
    assert_int_equal(mg__crc32c(bytes, sizeof bytes), 0x46dd794eu);
    for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)(31 - i);
    assert_int_equal(mg__crc32c(bytes, sizeof bytes), 0x113fdb5cu);
    assert_int_equal(mg__crc32c("123456789", 9), 0xe3069283u);
    assert_int_equal(mg__crc32c("", 0), 0);
}

/* ---- files ---- */

/* 300 epochs, so that steps take two bytes. */
enum { EPOCHS = 300 };

static mg_epoch history[EPOCHS];

static int make_history(void **unused)
{
    for (int i = 0; i < EPOCHS; i++)
        history[i] = (mg_epoch){.epoch = i + 1,
                                .loss = 1.0 / (i + 1),
                                .accuracy = 0.5,
                                .val_loss = i == 1   ? NAN
                                            : i == 2 ? INFINITY
                                                     : 2.0 / (i + 1),
                                .val_accuracy = i == 1 ? NAN : 0.25,
                                .lr = 0.001,
                                .seconds = 2,
                                .images_per_sec = 1000};
    return scratch_enter(unused);
}

static void write_epochs(int count)
{
    const mg_train_state state = {.history_count = count, .history = history};
    if (mg__tensorboard_write("r", 1e9, &state) != MG_OK) fail_msg("%s", mg_last_error());
}

/* Checks the bytes at *at, and moves it past them. */
static void expect(const char **at, const void *bytes, size_t size)
{
    assert_memory_equal(*at, bytes, size);
    *at += size;
}

/* A record's frame: the length, its CRC; the CRC behind the data is computed as the data passes. */
static void expect_frame(const char **at, uint8_t size)
{
    const uint8_t length[8] = {size};
    uint32_t crc;
    expect(at, length, sizeof length);
    memcpy(&crc, *at, sizeof crc); /* the tests run on little-endian machines */
    crc -= 0xa282ead8u;
    assert_int_equal(crc >> 17 | crc << 15, mg__crc32c(length, sizeof length));
    *at += sizeof crc;
    memcpy(&crc, *at + size, sizeof crc);
    crc -= 0xa282ead8u;
    assert_int_equal(crc >> 17 | crc << 15, mg__crc32c(*at, size));
}

/* The validation run's event of epoch 1, field by field. */
static void bytes_of_an_event(void **unused)
{
    (void)unused;
    size_t size;
    write_epochs(1);
    char *bytes = scratch_read(VALIDATION, &size);
    const char *at = bytes;

    expect_frame(&at, 24);
    expect(&at, "\x09\0\0\0\0\x65\xcd\xcd\x41", 9); /* 1: double 1e9 */
    expect(&at,
           "\x1a\x0d"
           "brain.Event:2",
           15); /* 3: text */
    at += 4;

    expect_frame(&at, 55);
    expect(&at, "\x09\0\0\0\x01\x65\xcd\xcd\x41", 9); /* 1: 1e9 + 2 */
    expect(&at, "\x10\x01", 2);                       /* 2: step 1 */
    expect(&at, "\x2a\x2a", 2);                       /* 5: summary of 42 bytes */
    expect(&at, "\x0a\x11", 2);                       /* 1: value of 17 bytes */
    expect(&at,
           "\x0a\x0a"
           "epoch_loss",
           12);
    expect(&at, "\x15\0\0\0\x40", 5); /* 2: float 2 */
    expect(&at, "\x0a\x15", 2);
    expect(&at,
           "\x0a\x0e"
           "epoch_accuracy",
           16);
    expect(&at, "\x15\0\0\x80\x3e", 5); /* 0.25 */
    at += 4;
    assert_int_equal(at - bytes, size);
    free(bytes);
    scratch_remove("r");
}

/* The steps of the events in a file, up to its end. */
static int read_steps(const char *path, int steps[EPOCHS])
{
    size_t size;
    char *bytes = scratch_read(path, &size);
    int count = 0;
    for (const char *at = bytes; at < bytes + size;) {
        const uint8_t length = (uint8_t)*at, *data = (const uint8_t *)at + 12;
        expect_frame(&at, length);
        at += length + 4;
        if (data[9] != 0x10) continue; /* the version has no step */
        assert_in_range(count, 0, EPOCHS - 1);
        steps[count++] = data[10] < 0x80 ? data[10] : (data[10] & 0x7f) | data[11] << 7;
    }
    free(bytes);
    return count;
}

static void steps_are_epochs(void **unused)
{
    (void)unused;
    int steps[EPOCHS];
    write_epochs(EPOCHS);
    assert_int_equal(read_steps(TRAIN, steps), EPOCHS);
    for (int i = 0; i < EPOCHS; i++) assert_int_equal(steps[i], i + 1);
    assert_int_equal(read_steps(VALIDATION, steps), EPOCHS - 1); /* NaN: epoch 2 has no figures */
    assert_int_equal(steps[0], 1);
    assert_int_equal(steps[1], 3);
    scratch_remove("r");
}

static void no_validation_no_file(void **unused)
{
    (void)unused;
    mg_epoch epoch = {.epoch = 1, .val_loss = NAN, .val_accuracy = NAN};
    const mg_train_state none = {0}, one = {.history_count = 1, .history = &epoch};
    assert_int_equal(mg__tensorboard_write("r", 0, &none), MG_OK);
    assert_int_equal(mg__tensorboard_write("r", 0, &one), MG_OK);
    assert_true(scratch_exists(TRAIN));
    assert_false(scratch_exists("r/validation"));
    scratch_remove("r");
}

/* Epoch by epoch, after a kill within an event, or over another file: the same bytes. Where it can
 * the file grows, for TensorBoard follows the one that it has opened. */
static void files_grow(void **unused)
{
    (void)unused;
    size_t size;
    struct stat first, last;
    write_epochs(3);
    scratch_copy(TRAIN, "whole");
    char *bytes = scratch_read("whole", &size);
    scratch_remove("r");

    for (int count = 0; count <= 3; count++) {
        write_epochs(count);
        assert_int_equal(stat(TRAIN, count == 0 ? &first : &last), 0);
    }
    assert_same_file(TRAIN, "whole");
    assert_int_equal(first.st_ino, last.st_ino);

    for (size_t cut = 0; cut < size; cut += 7) {
        scratch_write(TRAIN, bytes, cut);
        write_epochs(3);
        assert_same_file(TRAIN, "whole");
    }
    static const char *const others[] = {"?", "a text that is no event file"};
    for (int i = 0; i < MG_COUNT_OF(others); i++) {
        scratch_write(TRAIN, others[i], strlen(others[i]));
        write_epochs(3);
        assert_same_file(TRAIN, "whole");
    }
    write_epochs(5); /* a state that is older than the file */
    write_epochs(3);
    assert_same_file(TRAIN, "whole");
    free(bytes);
    scratch_remove("r");
    remove("whole");
}

static void failures_name_the_file(void **unused)
{
    (void)unused;
    const mg_train_state state = {.history_count = 1, .history = history};
    scratch_write("r", "", 0);
    assert_int_equal(mg__tensorboard_write("r", 1e9, &state), MG_ERR_IO);
    assert_message("r");
    remove("r");
    assert_int_equal(mg__make_dirs(TRAIN), MG_OK);
    assert_int_equal(mg__tensorboard_write("r", 1e9, &state), MG_ERR_IO);
    assert_message(TRAIN);
    scratch_remove("r");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_crcs),       cmocka_unit_test(bytes_of_an_event),
        cmocka_unit_test(steps_are_epochs), cmocka_unit_test(no_validation_no_file),
        cmocka_unit_test(files_grow),       cmocka_unit_test(failures_name_the_file),
    };
    return cmocka_run_group_tests(tests, make_history, scratch_leave);
}
