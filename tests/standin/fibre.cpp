#include "fibre.h"
#include "standin.h"

#include <cstdlib>
#include <sys/mman.h>
#include <ucontext.h>

STANDIN_ASAN(extern "C" {
    void __sanitizer_start_switch_fiber(void **fake, const void *bottom, size_t size);
    void __sanitizer_finish_switch_fiber(void *fake, const void **bottom, size_t *size);
})

namespace standin
{
constexpr size_t stack_bytes = 128 << 10;
/* Near the far end of each stack: a thread that writes over it has a page left to go on with. */
constexpr uint64_t canary = 0x5ca1ab1e0ddba11dull;
constexpr size_t canary_offset = 4096;
/* Stacks begin at different offsets, or all of them would share a few sets of the cache. */
constexpr size_t colours = 61, colour_bytes = 192;

static Fibre host = {{}, true, nullptr, nullptr, nullptr, nullptr, nullptr, 0};
static Fibre *starting;
static Fibre *fibres; /* all of them, so that none counts as leaked at exit */
STANDIN_ASAN(static const void *host_stack; static size_t host_stack_bytes;)

static void first_entry()
{
    STANDIN_ASAN(__sanitizer_finish_switch_fiber(nullptr, &host_stack, &host_stack_bytes);)
    starting->run(starting);
    std::abort();
}

[[noreturn]] static __attribute__((noinline, no_sanitize("address"))) void go_to(Fibre *to)
{
    if (to->started) __builtin_longjmp(to->resume, 1);
    ucontext_t context;
    getcontext(&context);
    context.uc_stack.ss_sp = to->stack;
    context.uc_stack.ss_size = stack_bytes - to->index % colours * colour_bytes;
    context.uc_link = nullptr;
    makecontext(&context, first_entry, 0);
    to->started = true;
    starting = to;
    setcontext(&context);
    std::abort();
}

/* No system call in it, unlike swapcontext: a barrier switches once for every thread. */
static __attribute__((noinline, no_sanitize("address"))) void switch_stack(Fibre *from, Fibre *to)
{
    if (__builtin_setjmp(from->resume) == 0) go_to(to);
}

Fibre *create_fibre(void (*run)(Fibre *))
{
    void *stack = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED) die("no memory for the stack of a thread");
    std::memcpy(static_cast<char *>(stack) + canary_offset, &canary, sizeof canary);
    Fibre *f = new Fibre{{},      false,  static_cast<char *>(stack),    run, nullptr,
                         nullptr, fibres, fibres ? fibres->index + 1 : 0};
    fibres = f;
    TSAN(f->tsan = __tsan_create_fiber(0);)
    return f;
}

void enter_fibre(Fibre *f)
{
    TSAN(host.tsan = __tsan_get_current_fiber(); __tsan_switch_to_fiber(f->tsan, 1);)
    STANDIN_ASAN(__sanitizer_start_switch_fiber(&host.asan_fake, f->stack, stack_bytes);)
    switch_stack(&host, f);
    STANDIN_ASAN(__sanitizer_finish_switch_fiber(host.asan_fake, nullptr, nullptr);)
}

bool stack_overflowed(const Fibre *f)
{
    return std::memcmp(f->stack + canary_offset, &canary, sizeof canary) != 0;
}

void leave_fibre(Fibre *f)
{
    TSAN(__tsan_switch_to_fiber(host.tsan, 1);)
    STANDIN_ASAN(__sanitizer_start_switch_fiber(&f->asan_fake, host_stack, host_stack_bytes);)
    switch_stack(f, &host);
    STANDIN_ASAN(__sanitizer_finish_switch_fiber(f->asan_fake, nullptr, nullptr);)
}
} // namespace standin
