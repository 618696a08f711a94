/* Runs a grid of CUDA threads on one host thread.
 *
 * A worker fibre calls the kernel for one CUDA thread after another, on its own stack. When a
 * thread has to wait (a barrier, a warp operation), its fibre waits with it, and another fibre goes
 * on with the threads not yet started: a kernel without barriers needs one fibre for all.
 *
 * Under ThreadSanitizer each CUDA thread has an identity of its own, and barriers are what orders
 * them. Identities are costly, so a grid's blocks share a window of them: races are seen between
 * the threads of a block and between blocks that run within a window of each other. This file is
 * compiled without -fsanitize=thread: what the scheduler does itself must not order anything. */
#include "fibre.h"
#include "standin.h"

#include <deque>
#include <memory>

STANDIN_ASAN(extern "C" {
    void __asan_poison_memory_region(const volatile void *p, size_t size);
    void __asan_unpoison_memory_region(const volatile void *p, size_t size);
})

namespace standin
{
#ifdef STANDIN_TSAN
constexpr bool one_thread_per_fibre = true;
#else
constexpr bool one_thread_per_fibre = false;
#endif
constexpr unsigned window_threads = 1024; /* resident blocks have about that many, under TSan */
constexpr int most_rounds = 64; /* of one warp: it may spin until another has done something */
constexpr size_t chunk_bytes = 512 << 10, shared_gap = 64;

/* ---- threads, warps, blocks ---- */

enum class State : unsigned char { Fresh, Ready, AtBlockBarrier, AtWarp, AtGridBarrier, Done };

struct Block;
struct Thread : Position {
    State state;
    unsigned lane, joined;
    Block *owner;
    Fibre *fibre;
    uint64_t lanes[32]; /* what the last warp exchange gave */
};

struct Warp {
    unsigned alive, waiting; /* lanes */
    unsigned at_barrier;     /* those of them that wait at __syncwarp */
    unsigned mask[32];       /* of the operation that a waiting lane waits for */
    bool mixed;              /* they may wait for different operations */
    uint64_t value[32];
};

struct SharedArray {
    const void *key;
    char *data;
};

struct Block {
    unsigned slot;
    std::vector<Thread> threads;
    std::vector<Warp> warps;
    std::vector<unsigned> order;
    unsigned next_fresh, alive, arrived; /* at the block barrier */
    const char *file;                    /* where the first of those that arrived waits */
    int line;
    std::vector<SharedArray> shared;
    std::unique_ptr<char[]> chunk; /* its memory */
    size_t chunk_used, static_bytes;
    unsigned turn;       /* counts the blocks that ran in this slot */
    char done_points[2]; /* TSan orders a slot's threads after those of the block before */
};

static struct Grid {
    const Launch *config;
    const std::function<void()> *body;
    unsigned thread_count, resident;
    size_t alive, arrived; /* at the grid barrier */
} grid;

static std::deque<Block> slots;
static std::vector<Fibre *> idle, own; /* own: one for each resident thread, under TSan */
static Thread *current;
static Thread *assigned; /* to the fibre about to be entered */
const Position *here;
TSAN(static char launch_point, fence_point;)

static Thread *self()
{
    if (!current) die("a device function was called from host code");
    return current;
}

static void set_current(Thread *t)
{
    current = t;
    here = t;
}

/* What the threads did so far happens before what each of them does next. */
template <class Each> static void order_threads(void *point, Each each)
{
    (void)point, (void)each;
    TSAN(void *me = __tsan_get_current_fiber(); each([point](Thread &t) {
             __tsan_switch_to_fiber(t.fibre->tsan, 1);
             __tsan_release(point);
         });
         each([point](Thread &t) {
             __tsan_switch_to_fiber(t.fibre->tsan, 1);
             __tsan_acquire(point);
         });
         __tsan_switch_to_fiber(me, 1);)
}

/* ---- fibres ---- */

static void enter(Fibre *f)
{
    enter_fibre(f);
    set_current(nullptr);
}

static void wait(State state)
{
    Thread *t = self();
    t->state = state;
    leave_fibre(t->fibre);
}

static void work(Fibre *me);

static Fibre *fibre_for(const Block &b, unsigned thread)
{
    if (one_thread_per_fibre) {
        const size_t index = static_cast<size_t>(b.slot) * grid.thread_count + thread;
        while (own.size() <= index) own.push_back(create_fibre(work));
        return own[index];
    }
    if (idle.empty()) return create_fibre(work);
    Fibre *f = idle.back();
    idle.pop_back();
    return f;
}

static Thread *take_fresh(Block &b)
{
    return b.next_fresh < b.threads.size() ? &b.threads[b.order[b.next_fresh++]] : nullptr;
}

static void release_block(Block &b);
static void release_warp(Block &b, Warp &w, unsigned mask);

static void finish(Thread &t)
{
    Block &b = *t.owner;
    Warp &w = b.warps[static_cast<size_t>(&t - b.threads.data()) / 32];
    TSAN(__tsan_release(&b.done_points[b.turn % 2]);)
    t.state = State::Done;
    b.alive--;
    grid.alive--;
    w.alive &= ~(1u << t.lane);
    if (b.alive && b.arrived == b.alive) release_block(b);
    if (w.waiting) /* one of the operations may have waited for this lane alone */
        for (unsigned l = 0; l < 32; l++)
            if (w.waiting >> l & 1) release_warp(b, w, w.mask[l]);
}

static void work(Fibre *me)
{
    for (;;) {
        Thread *t = assigned;
        while (t) {
            t->fibre = me;
            set_current(t);
            TSAN(__tsan_acquire(&launch_point);
                 __tsan_acquire(&t->owner->done_points[(t->owner->turn + 1) % 2]);)
            (*grid.body)();
            finish(*t);
            t = one_thread_per_fibre ? nullptr : take_fresh(*t->owner);
        }
        if (stack_overflowed(me)) die("%s: a thread ran out of stack", grid.config->name);
        if (!one_thread_per_fibre) idle.push_back(me);
        leave_fibre(me);
    }
}

/* ---- barriers and warp operations ---- */

static void release_block(Block &b)
{
    auto each = [&b](auto visit) {
        for (Thread &t : b.threads)
            if (t.state == State::AtBlockBarrier) visit(t);
    };
    order_threads(&b.arrived, each);
    b.arrived = 0;
    each([](Thread &t) { t.state = State::Ready; });
}

void block_barrier(const char *file, int line)
{
    Thread *t = self();
    Block &b = *t->owner;
    if (b.arrived && (line != b.line || std::strcmp(file, b.file) != 0))
        die("%s: divergent barrier in block (%u,%u,%u): thread (%u,%u,%u) is at %s:%d, others of "
            "its block wait at %s:%d",
            grid.config->name, t->block.x, t->block.y, t->block.z, t->thread.x, t->thread.y,
            t->thread.z, file, line, b.file, b.line);
    b.file = file;
    b.line = line;
    t->state = State::AtBlockBarrier;
    if (++b.arrived == b.alive)
        release_block(b);
    else
        wait(State::AtBlockBarrier);
}

void grid_barrier()
{
    if (!grid.config->cooperative)
        die("%s: grid barrier in a launch that is not cooperative", grid.config->name);
    grid.arrived++;
    wait(State::AtGridBarrier);
}

static void release_grid()
{
    auto each = [](auto visit) {
        for (unsigned s = 0; s < grid.resident; s++)
            for (Thread &t : slots[s].threads)
                if (t.state == State::AtGridBarrier) visit(t);
    };
    order_threads(&grid.arrived, each);
    grid.arrived = 0;
    each([](Thread &t) { t.state = State::Ready; });
}

/* Ends the warp operation with this mask if all its lanes have arrived. */
static void release_warp(Block &b, Warp &w, unsigned mask)
{
    if ((w.waiting & mask) != (mask & w.alive)) return; /* most calls, without a look at each */
    unsigned arrived = 0;
    uint64_t values[32];
    for (unsigned l = 0; l < 32; l++) {
        const bool joins = (w.waiting >> l & 1) && w.mask[l] == mask;
        arrived |= static_cast<unsigned>(joins) << l;
        values[l] = joins ? w.value[l] : ~0ull;
    }
    if (!arrived || arrived != (mask & w.alive)) return;
    Thread *lanes = &b.threads[static_cast<size_t>(&w - b.warps.data()) * 32];
    auto each = [arrived, lanes](auto visit) {
        for (unsigned l = 0; l < 32; l++)
            if (arrived >> l & 1) visit(lanes[l]);
    };
    if (w.at_barrier & arrived) order_threads(&w.mask[__builtin_ctz(mask)], each);
    each([&](Thread &t) {
        std::memcpy(t.lanes, values, sizeof values);
        t.joined = arrived;
        t.state = State::Ready;
    });
    w.waiting &= ~arrived;
    w.at_barrier &= ~arrived;
}

static bool same_operation(const Warp &w, int lane, unsigned mask, bool barrier)
{
    return w.mask[lane] == mask && (w.at_barrier >> lane & 1) == barrier;
}

/* The lane comes to an operation where others wait for different ones. */
static void check_operations(const Warp &w, unsigned lane, unsigned mask, bool barrier)
{
    for (unsigned l = 0; l < 32; l++) {
        const bool each_awaits_the_other =
            (w.waiting >> l & 1) && (w.mask[l] >> lane & 1) && (mask >> l & 1);
        if (!each_awaits_the_other) continue;
        if (w.mask[l] != mask)
            die("%s: lanes %u and %u of a warp call warp operations with masks %08x and %08x",
                grid.config->name, l, lane, w.mask[l], mask);
        if ((w.at_barrier >> l & 1) != barrier)
            die("%s: lanes %u and %u of a warp call different warp operations", grid.config->name,
                l, lane);
    }
}

static void join_warp(unsigned mask, uint64_t value, bool barrier)
{
    Thread *t = self();
    Block &b = *t->owner;
    Warp &w = b.warps[static_cast<size_t>(t - b.threads.data()) / 32];
    if (!(mask >> t->lane & 1))
        die("%s: lane %u calls a warp operation whose mask %08x leaves it out", grid.config->name,
            t->lane, mask);
    if (!w.waiting)
        w.mixed = false;
    else if (w.mixed || !same_operation(w, __builtin_ctz(w.waiting), mask, barrier)) {
        w.mixed = true;
        check_operations(w, t->lane, mask, barrier);
    }
    w.waiting |= 1u << t->lane;
    w.at_barrier |= static_cast<unsigned>(barrier) << t->lane;
    w.mask[t->lane] = mask;
    w.value[t->lane] = value;
    t->state = State::AtWarp;
    release_warp(b, w, mask);
    if (t->state == State::AtWarp) wait(State::AtWarp);
}

/* A shuffle orders no memory accesses; __syncwarp does. */
const uint64_t *warp_exchange(unsigned mask, uint64_t value)
{
    join_warp(mask, value, false);
    return self()->lanes;
}

void warp_barrier(unsigned mask) { join_warp(mask, 0, true); }
unsigned warp_joined() { return self()->joined; }
unsigned lane_id() { return self()->lane; }
void memory_fence() { TSAN(__tsan_release(&fence_point); __tsan_acquire(&fence_point);) }
void yield() { wait(State::Ready); }

/* ---- shared memory: cut from the block's chunk, with a gap after each array ---- */

static char *cut_shared(Block &b, const void *key, size_t bytes)
{
    for (const SharedArray &a : b.shared)
        if (a.key == key) return a.data;
    const size_t start = b.chunk_used;
    b.chunk_used = (start + bytes + shared_gap + 255) / 256 * 256;
    if (b.chunk_used > chunk_bytes) die("%s: too much shared memory", grid.config->name);
    char *data = b.chunk.get() + start;
    STANDIN_ASAN(__asan_unpoison_memory_region(data, bytes);)
    /* volatile: a call of memset would be an access of this thread's for TSan */
    for (size_t i = 0; i < bytes; i++) *const_cast<volatile char *>(data + i) = '\xff';
    b.shared.push_back({key, data});
    return data;
}

void *shared_memory(const void *key, size_t bytes)
{
    Block &b = *self()->owner;
    const size_t arrays = b.shared.size();
    char *data = cut_shared(b, key, bytes);
    if (b.shared.size() > arrays) b.static_bytes += bytes;
    if (b.static_bytes > 48 << 10)
        die("%s: %zu bytes of static shared memory, the limit is 49152", grid.config->name,
            b.static_bytes);
    return data;
}

void *dynamic_shared_memory()
{
    if (!grid.config->shared_bytes)
        die("%s: dynamic shared memory used, launched with 0 bytes", grid.config->name);
    return cut_shared(*self()->owner, nullptr, grid.config->shared_bytes);
}

/* ---- the scheduler ---- */

static void start_block(Block &b, unsigned index)
{
    const dim3 g = grid.config->grid, d = grid.config->block;
    const uint3 at = {index % g.x, index / g.x % g.y, index / g.x / g.y};
    const unsigned n = grid.thread_count;
    b.warps.resize((n + 31) / 32);
    for (Warp &w : b.warps) w.alive = w.waiting = w.at_barrier = 0;
    for (unsigned i = 0; i < n; i++) {
        Thread &t = b.threads[i];
        t.thread = {i % d.x, i / d.x % d.y, i / d.x / d.y};
        t.block = at;
        t.block_dim = d;
        t.grid_dim = g;
        t.state = State::Fresh;
        t.lane = i % 32;
        t.owner = &b;
        b.warps[i / 32].alive |= 1u << t.lane;
    }
    execution_order(b.order, n);
    b.next_fresh = b.arrived = 0;
    b.turn++;
    b.alive = n;
    STANDIN_ASAN(__asan_poison_memory_region(b.chunk.get(), b.chunk_used);)
    b.shared.clear();
    b.chunk_used = b.static_bytes = 0;
}

/* Lets the threads that can run, of 32 in the block's order, go on until they wait or end. False:
 * none could. */
static bool run_group(Block &b, unsigned first)
{
    bool any = false;
    for (unsigned i = first; i < std::min(first + 32, grid.thread_count); i++) {
        Thread &t = b.threads[b.order[i]];
        if (t.state != State::Ready) continue;
        set_current(&t);
        enter(t.fibre);
        any = true;
    }
    return any;
}

/* The same with all threads of the block. */
static bool sweep(Block &b)
{
    bool any = false;
    while (Thread *t = take_fresh(b)) {
        assigned = t;
        enter(fibre_for(b, static_cast<unsigned>(t - b.threads.data())));
        any = true;
    }
    if (!b.alive) return any;
    execution_order(b.order, grid.thread_count);
    /* A warp goes on while it can, since its stacks are in the cache by then. */
    for (unsigned first = 0; first < grid.thread_count; first += 32)
        for (int round = 0; round < most_rounds && run_group(b, first); round++) any = true;
    return any;
}

[[noreturn]] static void deadlock(const Block &b)
{
    auto count = [&b](State s) {
        return static_cast<int>(std::count_if(b.threads.begin(), b.threads.end(),
                                              [s](const Thread &t) { return t.state == s; }));
    };
    const uint3 at = b.threads[0].block;
    die("%s: deadlock in block (%u,%u,%u): of %zu threads %d are at __syncthreads, %d at a warp "
        "operation, %d at a grid barrier, %d done",
        grid.config->name, at.x, at.y, at.z, b.threads.size(), count(State::AtBlockBarrier),
        count(State::AtWarp), count(State::AtGridBarrier), count(State::Done));
}

static void run_together()
{
    while (grid.alive) {
        bool any = false;
        for (unsigned s = 0; s < grid.resident; s++) any |= sweep(slots[s]);
        if (grid.alive && grid.arrived == grid.alive) {
            release_grid();
            any = true;
        }
        for (unsigned s = 0; !any && s < grid.resident; s++)
            if (slots[s].alive) deadlock(slots[s]);
    }
}

void run_grid(const Launch &config, const std::function<void()> &body)
{
    const dim3 g = config.grid;
    const unsigned blocks = g.x * g.y * g.z;
    const unsigned threads = config.block.x * config.block.y * config.block.z;
    const unsigned window =
        one_thread_per_fibre ? std::clamp(window_threads / threads, 2u, 32u) : 1;
    const unsigned resident = config.cooperative ? blocks : std::min(blocks, window);
    grid = {&config, &body, threads, resident, static_cast<size_t>(blocks) * threads, 0};
    while (slots.size() < resident) {
        Block &b = slots.emplace_back();
        b.slot = static_cast<unsigned>(slots.size()) - 1;
        b.chunk.reset(new char[chunk_bytes]);
        b.chunk_used = chunk_bytes;
    }
    for (unsigned s = 0; s < resident; s++) slots[s].threads.resize(threads);
    TSAN(__tsan_release(&launch_point);)
    std::vector<unsigned> order;
    execution_order(order, blocks);
    if (config.cooperative) {
        for (unsigned i = 0; i < blocks; i++) start_block(slots[i], order[i]);
        run_together();
    } else {
        for (unsigned i = 0; i < blocks; i++) {
            Block &b = slots[i % resident];
            start_block(b, order[i]);
            while (b.alive)
                if (!sweep(b)) deadlock(b);
        }
    }
    TSAN(for (unsigned s = 0; s < resident; s++) for (char &point
                                                      : slots[s].done_points)
             __tsan_acquire(&point);)
}
} // namespace standin
