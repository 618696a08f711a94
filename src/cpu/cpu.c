#define _GNU_SOURCE /* sched_getaffinity */
#include "cpu/cpu.h"
#include "cpu/float_mode.h"
#include "host.h"
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mg_status repeat(mg_backend *be, mg_recording **rec, mg_enqueue_fn *fn, void *ctx, int times)
{
    mg_team *team = ((const mg_cpu *)be)->team;
    const unsigned mode = mg__float_mode();
    mg__flush_denormals();
    mg__team_wake(team);
    const mg_status st = mg__host_repeat(be, rec, fn, ctx, times);
    mg__team_rest(team);
    mg__set_float_mode(mode);
    return st;
}

/* ---- optimizers: the arena in blocks ---- */

enum { UPDATE_BLOCK = 4096 };

mg_cpu_updater mg__cpu_updater(const mg_cpu *cpu, const mg_update *u)
{
    const mg_cpu_element_kernels *k = cpu->isa->element;
    mg_cpu_update_fn *const kinds[MG_OPTIMIZER_COUNT] = {[MG_OPTIMIZER_ADAM] = k->adam,
                                                         [MG_OPTIMIZER_ADAMW] = k->adam,
                                                         [MG_OPTIMIZER_SGD] = k->sgd,
                                                         [MG_OPTIMIZER_RMSPROP] = k->rmsprop};
    const mg_optimizer_spec *s = &u->spec;
    const double t = u->state->step + 1.0;
    const float lr = u->lr[u->state->slot];
    const bool decoupled = s->kind == MG_OPTIMIZER_ADAMW;
    return (mg_cpu_updater){.update = u,
                            .fn = kinds[s->kind],
                            .lr = lr,
                            .factor = u->clip ? u->clip[0] : 1,
                            .limit = s->clip_value > 0 ? s->clip_value : INFINITY,
                            .l2 = decoupled ? 0 : s->weight_decay,
                            .keep = decoupled ? (float)(1 - (double)lr * s->weight_decay) : 1,
                            .rate = (float)(lr / (1 - pow((double)s->beta1, t))),
                            .scale = (float)(1 / sqrt(1 - pow((double)s->beta2, t)))};
}

static void update_blocks(void *ctx, int thread, long first, long end)
{
    const mg_cpu_updater *r = ctx;
    const size_t from = (size_t)first * UPDATE_BLOCK, to = (size_t)end * UPDATE_BLOCK;
    const size_t last = to < r->update->length ? to : r->update->length;
    (void)thread;
    r->fn(r, from, last - from, r->update->dw + from);
}

static mg_status optimizer_step(mg_backend *be, const mg_update *u)
{
    const mg_cpu *cpu = (const mg_cpu *)be;
    mg_cpu_updater updater = mg__cpu_updater(cpu, u);
    mg__team_for(cpu->team, (long)((u->length + UPDATE_BLOCK - 1) / UPDATE_BLOCK), update_blocks,
                 &updater);
    return MG_OK;
}

typedef struct norm_job {
    const mg_update *update;
    const mg_cpu *cpu;
} norm_job;

/* The norms of parts of blocks of 64 floats, whatever the number of threads; a square may be beyond
 * a float. */
static void part_norms(void *ctx, int thread, long first, long end)
{
    const norm_job *j = ctx;
    const mg_update *u = j->update;
    const size_t blocks = u->length / 64;
    (void)thread;
    for (size_t p = (size_t)first; p < (size_t)end; p++) {
        const size_t from = p * blocks / MG_CLIP_PARTS, to = (p + 1) * blocks / MG_CLIP_PARTS;
        const double sum = j->cpu->isa->element->sum_squares(u->dw + 64 * from, 64 * (to - from));
        u->clip[1 + p] = (float)sqrt(sum);
    }
}

static mg_status clip_norm(mg_backend *be, const mg_update *u)
{
    const mg_cpu *cpu = (const mg_cpu *)be;
    double sum = 0;
    mg__team_for(cpu->team, MG_CLIP_PARTS, part_norms, &(norm_job){u, cpu});
    for (int p = 1; p <= MG_CLIP_PARTS; p++) sum += (double)u->clip[p] * u->clip[p];
    const double factor = u->spec.clip_norm / (sqrt(sum) + 1e-6);
    u->clip[0] = factor > 1 ? 1 : (float)factor;
    return MG_OK;
}

/* ---- opening ---- */

static const mg_cpu_isa isas[] = {
#define MG_ISA_ROW(token, name)                                                                    \
    {name,                                                                                         \
     #token,                                                                                       \
     &mg__conv_##token,                                                                            \
     &mg__gemm_##token,                                                                            \
     &mg__element_##token,                                                                         \
     &mg__norm_##token,                                                                            \
     mg__peak_##token},
    MG_ISA_MAP(MG_ISA_ROW)
#undef MG_ISA_ROW
};

static bool has_avx2(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

static bool has_avx512(void)
{
#ifdef MG_EMULATE_AVX512
    return has_avx2();
#elif defined(__x86_64__)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

static bool usable(const mg_cpu_isa *isa)
{
    if (!strcmp(isa->token, "avx512")) return has_avx512();
    return !strcmp(isa->token, "avx2") ? has_avx2() : true;
}

/* The widest that this CPU has, or the one that MNIST_GPU_CPU names. */
static mg_status choose_isa(const mg_cpu_isa **out)
{
    const char *forced = getenv("MNIST_GPU_CPU");
    if (forced && !*forced) forced = NULL;
    for (int i = 0; i < MG_COUNT_OF(isas); i++) {
        if (forced && strcmp(forced, isas[i].token)) continue;
        if (usable(&isas[i])) {
            *out = &isas[i];
            return MG_OK;
        }
        if (forced)
            return mg__fail(MG_ERR_DEVICE, "MNIST_GPU_CPU=%s: this CPU does not have it", forced);
    }
    return mg__fail(MG_ERR_INVALID, "MNIST_GPU_CPU=%s: unknown (known: avx512, avx2, baseline)",
                    forced);
}

/* OMP_NUM_THREADS, which people set for any program with threads, or as many as there are cores. */
static int default_threads(void)
{
    const char *set = getenv("OMP_NUM_THREADS");
    const long wanted = set ? strtol(set, NULL, 10) : 0;
    if (wanted > 0) return wanted < INT_MAX ? (int)wanted : INT_MAX;
    cpu_set_t cores;
    return sched_getaffinity(0, sizeof cores, &cores) ? 1 : CPU_COUNT(&cores);
}

static void close_cpu(mg_backend *be)
{
    mg__team_free(((mg_cpu *)be)->team);
    free(be);
}

static const mg_layer_ops *const layers[MG_LAYER_COUNT] = {
#define MG_LAYER(ID, name) [MG_LAYER_##ID] = &mg_cpu_##name,
#include "layers/layers.def"
#undef MG_LAYER
};

static const mg_fused *const fused[] = {&mg_cpu_conv_relu_maxpool, &mg_cpu_conv_maxpool_relu,
                                        &mg_cpu_conv_maxpool,      &mg_cpu_conv_relu,
                                        &mg_cpu_dense_relu,        NULL};

static const mg_backend_ops ops = {
    .name = "cpu",
    .layers = layers,
    .fused = fused,
    .alloc = mg__host_alloc,
    .release = mg__host_release,
    .upload = mg__host_upload,
    .download = mg__host_download,
    .sync = mg__host_sync,
    .optimizer_step = optimizer_step,
    .clip_norm = clip_norm,
    .advance = mg__host_advance,
    .repeat = repeat,
    .recording_free = mg__host_recording_free,
    .time = mg__host_time,
    .peak = mg__cpu_peak,
    .close = close_cpu,
};

mg_status mg__cpu_open(mg_backend **out, int threads)
{
    enum { MAX_THREADS = 256 };
    mg_status st;
    mg_cpu *cpu = calloc(1, sizeof *cpu);
    if (!cpu) return mg__fail(MG_ERR_MEMORY, "out of memory for the CPU backend");
    cpu->base.ops = &ops;
    cpu->threads = threads > 0 ? threads : default_threads();
    if (cpu->threads > MAX_THREADS) cpu->threads = MAX_THREADS;
    MG_TRY(choose_isa(&cpu->isa));
    MG_TRY(mg__team_create(&cpu->team, cpu->threads));
    snprintf(cpu->base.description, sizeof cpu->base.description, "CPU, %s, %d thread%s",
             cpu->isa->name, cpu->threads, cpu->threads == 1 ? "" : "s");
    *out = &cpu->base;
    return MG_OK;
out:
    free(cpu);
    return st;
}
