/* Fibres: stacks that the host thread switches between, known to the sanitizers. */
#ifndef MG_STANDIN_FIBRE_H
#define MG_STANDIN_FIBRE_H

#include <cstddef>

/* STANDIN_TSAN: the rest of the program is built with -fsanitize=thread. The files that include
 * this one are not: what the scheduler does itself must not order a kernel's threads. */
#ifdef STANDIN_TSAN
extern "C" {
void __tsan_acquire(void *point);
void __tsan_release(void *point);
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_switch_to_fiber(void *fibre, unsigned flags);
}
#define TSAN(...) __VA_ARGS__
#else
#define TSAN(...)
#endif

namespace standin
{
struct Fibre {
    void *resume[5]; /* for __builtin_longjmp */
    bool started;
    char *stack;
    void (*run)(Fibre *);
    void *asan_fake, *tsan;
    Fibre *next;
    size_t index;
};

/* run() starts with the first enter(); it must never return. Fibres live as long as the program. */
Fibre *create_fibre(void (*run)(Fibre *));
/* Host thread: goes on in the fibre until that leaves. */
void enter_fibre(Fibre *f);
/* Fibre: goes back to the host thread; returns at the next enter(). */
void leave_fibre(Fibre *f);
bool stack_overflowed(const Fibre *f);
} // namespace standin

#endif
