#include "cpu/team.h"
#include "cpu/float_mode.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

enum { CACHE_LINE = 64, SPINS_BEFORE_YIELD = 4000 };

typedef struct worker {
    mg_team *team;
    pthread_t thread;
    int number;
    _Alignas(CACHE_LINE) atomic_uint finished; /* the last loop that it has done its part of */
} worker;

struct mg_team {
    int threads;
    worker *workers; /* [threads]; 0, the caller, is not started */
    int started;

    /* The present loop: written by the caller, read by workers after they saw `loop` change. */
    mg_team_fn *fn;
    void *ctx;
    long count;
    _Alignas(CACHE_LINE) atomic_uint loop; /* number of the present loop */
    atomic_bool awake, ending;

    pthread_mutex_t mutex; /* for the sleep while resting */
    pthread_cond_t woken;
};

static inline void pause_cpu(void)
{
#ifdef __x86_64__
    __builtin_ia32_pause();
#endif
}

static void wait_a_little(unsigned *spins)
{
    if (++*spins < SPINS_BEFORE_YIELD)
        pause_cpu();
    else
        sched_yield();
}

static void run_part(const mg_team *t, int thread)
{
    const long first = t->count * thread / t->threads, end = t->count * (thread + 1) / t->threads;
    if (first < end) t->fn(t->ctx, thread, first, end);
}

static void sleep_until_woken(mg_team *t)
{
    pthread_mutex_lock(&t->mutex);
    while (!atomic_load(&t->awake) && !atomic_load(&t->ending))
        pthread_cond_wait(&t->woken, &t->mutex);
    pthread_mutex_unlock(&t->mutex);
}

static void *work(void *arg)
{
    worker *w = arg;
    mg_team *t = w->team;
    mg__flush_denormals(); /* a thread of ours: for good */
    for (unsigned done = 0;;) {
        unsigned spins = 0, loop;
        while ((loop = atomic_load_explicit(&t->loop, memory_order_acquire)) == done) {
            if (atomic_load_explicit(&t->ending, memory_order_relaxed)) return NULL;
            if (!atomic_load_explicit(&t->awake, memory_order_relaxed))
                sleep_until_woken(t);
            else
                wait_a_little(&spins);
        }
        run_part(t, w->number);
        done = loop;
        atomic_store_explicit(&w->finished, done, memory_order_release);
    }
}

mg_status mg__team_create(mg_team **out, int threads)
{
    mg_status st = MG_OK;
    mg_team *t = aligned_alloc(CACHE_LINE, sizeof *t);
    if (!t) return mg__fail(MG_ERR_MEMORY, "out of memory for threads");
    *t = (mg_team){.threads = threads};
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->woken, NULL);
    t->workers = aligned_alloc(CACHE_LINE, (size_t)threads * sizeof *t->workers);
    if (!t->workers) MG_FAIL(MG_ERR_MEMORY, "out of memory for threads");
    for (int i = 1; i < threads; i++) {
        worker *w = &t->workers[i];
        *w = (worker){.team = t, .number = i};
        if (pthread_create(&w->thread, NULL, work, w))
            MG_FAIL(MG_ERR_DEVICE, "only %d of %d CPU threads could be started", i, threads);
        t->started = i;
    }
    *out = t;
    t = NULL;
out:
    mg__team_free(t);
    return st;
}

void mg__team_free(mg_team *t)
{
    if (!t) return;
    pthread_mutex_lock(&t->mutex);
    atomic_store(&t->ending, true);
    pthread_cond_broadcast(&t->woken);
    pthread_mutex_unlock(&t->mutex);
    for (int i = 1; i <= t->started; i++) pthread_join(t->workers[i].thread, NULL);
    pthread_cond_destroy(&t->woken);
    pthread_mutex_destroy(&t->mutex);
    free(t->workers);
    free(t);
}

void mg__team_wake(mg_team *t)
{
    if (t->threads == 1) return;
    pthread_mutex_lock(&t->mutex);
    atomic_store(&t->awake, true);
    pthread_cond_broadcast(&t->woken);
    pthread_mutex_unlock(&t->mutex);
}

void mg__team_rest(mg_team *t) { atomic_store(&t->awake, false); }

void mg__team_for(mg_team *t, long count, mg_team_fn *fn, void *ctx)
{
    if (t->threads == 1 || count < 2 || !atomic_load_explicit(&t->awake, memory_order_relaxed)) {
        if (count > 0) fn(ctx, 0, 0, count);
        return;
    }
    t->fn = fn;
    t->ctx = ctx;
    t->count = count;
    const unsigned loop = atomic_load_explicit(&t->loop, memory_order_relaxed) + 1;
    atomic_store_explicit(&t->loop, loop, memory_order_release);
    run_part(t, 0);
    for (int i = 1; i < t->threads; i++) {
        unsigned spins = 0;
        while (atomic_load_explicit(&t->workers[i].finished, memory_order_acquire) != loop)
            wait_a_little(&spins);
    }
}
