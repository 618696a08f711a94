/* The checker checked: every planted fault is caught, with the diagnostic that names it, and right
 * programs pass in every order of threads. This program is built once per sanitizer; each case runs
 * in a process of its own, since most end it. */
#include "faults.h"
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PLAIN = 1, ASAN = 2, TSAN = 4, ALL = 7 };

#if defined __SANITIZE_ADDRESS__
enum { MODE = ASAN };
#elif defined __SANITIZE_THREAD__
enum { MODE = TSAN };
#else
enum { MODE = PLAIN };
#endif

typedef struct planted {
    int modes; /* in which it is caught in this way */
    const char *name, *order, *diagnostic, *second;
} planted;

static const planted faults[] = {
    /* kernels */
    {PLAIN | ASAN, "missing_barrier", "fwd", "noticed: y[0] is a NaN", NULL},
    {PLAIN | ASAN, "missing_barrier", "rev", "noticed: y[128] is a NaN", NULL},
    {TSAN, "missing_barrier", "fwd", "ThreadSanitizer: data race", "missing_barrier"},
    {TSAN, "missing_syncwarp", "fwd", "ThreadSanitizer: data race", "missing_syncwarp"},
    {TSAN, "block_race", "fwd", "ThreadSanitizer: data race", "sum_racy"},
    {ALL, "uninitialised_shared", "fwd", "noticed: y[0] is a NaN", NULL},
    {ALL, "uninitialised_device", "fwd", "noticed: y[0] is a NaN", NULL},
    {ASAN, "shared_overflow", "fwd", "AddressSanitizer: use-after-poison", "shared_overflow"},
    {ASAN, "device_overflow", "fwd", "AddressSanitizer: heap-buffer-overflow", "device_overflow"},
    {PLAIN | TSAN, "device_overflow", "fwd", "access after the end of device memory", NULL},
    {ALL, "divergent_barrier", "fwd", "divergent: divergent barrier in block (0,0,0): thread",
     "faults.cu:"},
    {ALL, "divergent_barrier", "rand:7", "divergent: divergent barrier in block (0,0,0): thread",
     "faults.cu:"},
    {ALL, "deadlock", "fwd",
     "deadlock: deadlock in block (0,0,0): of 256 threads 128 are at "
     "__syncthreads, 128 at a warp operation",
     NULL},
    {ALL, "mixed_masks", "fwd", "call warp operations with masks ffffffff and ffff0001", NULL},
    {ALL, "mixed_masks", "rand:7", "mixed_masks: lanes", "call warp operations with masks"},
    {ALL, "mixed_operations", "fwd", "lanes 0 and 16 of a warp call different warp operations",
     NULL},
    {ALL, "large_frame", "fwd", "large_frame: a thread ran out of stack", NULL},
    {ALL, "too_many_threads", "fwd", "launch of 1 x 1 x 1 blocks of 1025 x 1 x 1 threads",
     "gave 9"},
    {ALL, "too_much_shared", "fwd", "49153 bytes of dynamic shared memory", "gave 1"},
    /* memory and streams */
    {ASAN, "host_read", "fwd", "AddressSanitizer: use-after-poison", "host_read"},
    {PLAIN | TSAN, "host_read", "fwd", "host code touched device memory: byte 12 of", NULL},
    {ALL, "host_pointer", "fwd", "from pageable to device memory", "gave 1"},
    {ALL, "missing_sync", "fwd", "noticed: the copy has not run yet", NULL},
    {ALL, "missing_event", "rev", "noticed: z[0] is a NaN", NULL},
    /* capture */
    {ALL, "malloc_in_capture", "fwd", "cudaMalloc inside a stream capture",
     "noticed: status 900, capture ended with 901"},
    {ALL, "sync_in_capture", "fwd", "cudaStreamSynchronize inside a stream capture",
     "noticed: status 900, capture ended with 901"},
    {ALL, "copy_in_capture", "fwd", "cudaMemcpyAsync of pageable memory inside a stream capture",
     "noticed: status 900, capture ended with 901"},
    {ALL, "legacy_stream_in_capture", "fwd", "work on the legacy stream",
     "noticed: status 906, capture ended with 901"},
    {ALL, "frozen_step", "fwd", "noticed: three replays give 3, three steps 6", NULL},
    {ASAN, "freed_buffer", "fwd", "AddressSanitizer: heap-use-after-free", NULL},
    {PLAIN | TSAN, "freed_buffer", "fwd", "access to freed device memory", NULL},
    /* cuBLAS */
    {ALL, "leading_dimension", "fwd", "cublasSgemm: ldc = 2 is less than c's 5 rows", "gave 7"},
    {ALL, "wide_leading_dimension", "fwd", "cublasSgemm: C, 44 bytes", "is not inside one device"},
    {ALL, "swapped_sizes", "fwd", "cublasSgemm: B, 60 bytes", "is not inside one device"},
    {ALL, "overlapping_product", "fwd", "cublasSgemm: C is written and overlaps A", NULL},
    {ALL, "blas_tf32", "fwd", "cublasSetMathMode: mode 3 computes in less than fp32", NULL},
    {ALL, "first_call_in_capture", "fwd",
     "cublasSgemm: the first call through its handle is inside a stream capture", NULL},
    {ALL, "capture_without_workspace", "fwd", "captured without cublasSetWorkspace", NULL},
    /* cuDNN */
    {ALL, "conv_tf32", "fwd", "math type 0 allows TF32", NULL},
    {ALL, "short_workspace", "fwd", "cudnnConvolutionForward: a workspace of", "gave 2006"},
    {ALL, "long_workspace", "fwd", "the workspace, 262145 bytes", "is not inside one device"},
    {ALL, "first_algorithm", "fwd", "algorithm 0 is not deterministic", NULL},
    {ALL, "wrong_shape", "fwd", "y and the convolution's output differ: 3 x 2 x 4 x 4",
     "gave 2000"},
    {ALL, "short_buffer", "fwd", "y, 3072 bytes", "is not inside one device"},
    {ALL, "pool_order", "fwd", "CUDNN_POOLING_MAX is not deterministic", NULL},
    {ALL, "pool_average", "fwd", "noticed: the largest of 0, 7, 56, 63 is 31.5", NULL},
    {ALL, "pool_wrong_y", "fwd", "y is not the pooled x", NULL},
    {ALL, "pool_hides_nan", "fwd", "noticed: the largest of a NaN and zeros is 0", NULL},
};

static const char *const right_programs[] = {
    "kernels", "streams", "graphs", "products", "convolutions", "fused_convolution", "poolings"};
static const char *const orders[] = {"fwd", "rev", "rand:1", "rand:2"};

/* Runs this program as `kind name` in the given order of threads; returns waitpid's status, and
 * what it printed. */
static int run(const char *kind, const char *name, const char *order, char *text, size_t size)
{
    int ends[2], status;
    size_t used = 0;
    ssize_t got;
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        setenv("MG_STANDIN_ORDER", order, 1);
        setenv("TSAN_OPTIONS", "atexit_sleep_ms=0", 0); /* it would wait for real threads */
        alarm(120);
        execl("/proc/self/exe", "test_standin", kind, name, (char *)NULL);
        _exit(2);
    }
    close(ends[1]);
    while (used < size - 1 && (got = read(ends[0], text + used, size - 1 - used)) > 0)
        used += (size_t)got;
    close(ends[0]);
    text[used] = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_fault(void **state)
{
    static char text[1 << 18];
    const planted *f = *state;
    const int status = run("fault", f->name, f->order, text, sizeof text);
    const int caught =
        status != 0 && strstr(text, f->diagnostic) && (!f->second || strstr(text, f->second));
    if (!caught)
        fail_msg("%s in order %s: status %d, expected \"%s\" and \"%s\" in:\n%s", f->name, f->order,
                 status, f->diagnostic, f->second ? f->second : "", text);
}

static void test_right(void **state)
{
    static char text[1 << 16];
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        const int status = run("right", *state, orders[i], text, sizeof text);
        if (status || *text) fail_msg("order %s: status %d\n%s", orders[i], status, text);
    }
}

int main(int argc, char **argv)
{
    enum { FAULTS = sizeof faults / sizeof *faults };
    enum { RIGHT_PROGRAMS = sizeof right_programs / sizeof *right_programs };
    struct CMUnitTest tests[FAULTS + RIGHT_PROGRAMS];
    size_t count = 0;
    if (argc == 3) return strcmp(argv[1], "fault") ? run_right(argv[2]) : run_fault(argv[2]);
    for (size_t i = 0; i < FAULTS; i++)
        if (faults[i].modes & MODE)
            tests[count++] = (struct CMUnitTest){faults[i].name, test_fault, NULL, NULL,
                                                 (void *)(uintptr_t)&faults[i]};
    for (size_t i = 0; i < RIGHT_PROGRAMS; i++)
        tests[count++] = (struct CMUnitTest){right_programs[i], test_right, NULL, NULL,
                                             (void *)(uintptr_t)right_programs[i]};
    return _cmocka_run_group_tests("standin", tests, count, NULL, NULL);
}
