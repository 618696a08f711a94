#include "cpu/cpu.h"
#include "host.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __x86_64__
#include <immintrin.h>
#endif

int mg__cpu_thread(void)
{
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

/* ---- flush-to-zero: denormals in Adam's moments would double the time of a step (they are far
 * below what float sums can tell from 0). Set in every thread while steps run, and put back in the
 * caller's after. ---- */

static unsigned get_float_mode(void)
{
#ifdef __x86_64__
    return _mm_getcsr();
#else
    return 0;
#endif
}

static void set_float_mode(unsigned mode)
{
#ifdef __x86_64__
    _mm_setcsr(mode);
#else
    (void)mode;
#endif
}

enum { FLUSH_TO_ZERO = 0x8040 }; /* FTZ and DAZ */

static mg_status repeat(mg_backend *be, mg_recording **rec, mg_enqueue_fn *fn, void *ctx, int times)
{
    const mg_cpu *cpu = (const mg_cpu *)be;
    const unsigned mode = get_float_mode();
#pragma omp parallel num_threads(cpu->threads)
    set_float_mode(mode | FLUSH_TO_ZERO);
    const mg_status st = mg__host_repeat(be, rec, fn, ctx, times);
    set_float_mode(mode);
    (void)cpu;
    return st;
}

/* ---- optimizers: the arena in blocks, a block to a thread ---- */

static mg_status optimizer_step(mg_backend *be, const mg_update *u)
{
    enum { BLOCK = 4096 };
    const mg_cpu *cpu = (const mg_cpu *)be;
    const double t = u->state->step + 1.0;
    const float rate = (float)(u->state->lr / (1 - pow((double)u->beta1, t)));
    const float scale = (float)(1 / sqrt(1 - pow((double)u->beta2, t)));
    const long blocks = (long)((u->length + BLOCK - 1) / BLOCK);
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (long i = 0; i < blocks; i++) {
        const size_t first = (size_t)i * BLOCK, left = u->length - first;
        const size_t count = left < BLOCK ? left : BLOCK;
        if (u->kind == MG_OPTIMIZER_ADAM)
            cpu->kernels->adam(u, first, count, rate, scale);
        else
            cpu->kernels->sgd(u, first, count);
    }
    return MG_OK;
}

/* ---- opening ---- */

static bool usable(const mg_cpu_kernels *k)
{
#ifdef __x86_64__
    if (k == &mg_cpu_kernels_avx512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (k == &mg_cpu_kernels_avx2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return k == &mg_cpu_kernels_baseline;
}

/* The widest that this CPU has, or the one that MNIST_GPU_CPU names. */
static mg_status choose_kernels(const mg_cpu_kernels **out)
{
    static const mg_cpu_kernels *const all[] = {
#ifdef __x86_64__
        &mg_cpu_kernels_avx512, &mg_cpu_kernels_avx2,
#endif
        &mg_cpu_kernels_baseline};
    const char *forced = getenv("MNIST_GPU_CPU");
    if (forced && !*forced) forced = NULL;
    for (int i = 0; i < MG_COUNT_OF(all); i++) {
        if (forced && strcmp(forced, all[i]->token)) continue;
        if (usable(all[i])) {
            *out = all[i];
            return MG_OK;
        }
        if (forced)
            return mg__fail(MG_ERR_DEVICE, "MNIST_GPU_CPU=%s: this CPU does not have it", forced);
    }
    return mg__fail(MG_ERR_INVALID, "MNIST_GPU_CPU=%s: unknown (known: avx512, avx2, baseline)",
                    forced);
}

static int default_threads(void)
{
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

static void close_cpu(mg_backend *be) { free(be); }

static const mg_layer_ops *const layers[MG_LAYER_COUNT] = {
#define MG_LAYER(ID, name) [MG_LAYER_##ID] = &mg_cpu_##name,
#include "layers/layers.def"
#undef MG_LAYER
};

static const mg_backend_ops ops = {
    .name = "cpu",
    .layers = layers,
    .alloc = mg__host_alloc,
    .release = mg__host_release,
    .upload = mg__host_upload,
    .download = mg__host_download,
    .sync = mg__host_sync,
    .optimizer_step = optimizer_step,
    .advance = mg__host_advance,
    .repeat = repeat,
    .recording_free = mg__host_recording_free,
    .close = close_cpu,
};

mg_status mg__cpu_open(mg_backend **out, int threads)
{
    enum { MAX_THREADS = 256 };
    const mg_cpu_kernels *kernels = NULL;
    const mg_status st = choose_kernels(&kernels);
    if (st) return st;
    mg_cpu *cpu = calloc(1, sizeof *cpu);
    if (!cpu) return mg__fail(MG_ERR_MEMORY, "out of memory for the CPU backend");
    cpu->base.ops = &ops;
    cpu->kernels = kernels;
    cpu->threads = threads > 0 ? threads : default_threads();
    if (cpu->threads > MAX_THREADS) cpu->threads = MAX_THREADS;
#ifndef _OPENMP
    cpu->threads = 1;
#endif
    snprintf(cpu->base.description, sizeof cpu->base.description, "CPU, %s, %d thread%s",
             kernels->name, cpu->threads, cpu->threads == 1 ? "" : "s");
    *out = &cpu->base;
    return MG_OK;
}
