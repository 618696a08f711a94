/* Device and pinned memory. Device memory is fresh with NaNs in it and out of the host's reach
 * while no enqueued work runs: poisoned under AddressSanitizer, protected elsewhere, so that host
 * code which dereferences a device pointer stops at that line. */
#include "standin.h"

#include <cstdlib>
#include <map>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#include <csignal>
#include <cstdio>
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace standin
{
constexpr size_t total_bytes = size_t{4} << 30;

struct Allocation {
    size_t bytes;
    Memory kind;
    void *mapping; /* the whole pages, where there are any */
    size_t mapped;
};

using Allocations = std::map<uintptr_t, Allocation>;
static Allocations allocations, freed; /* freed: those whose addresses stay taken */
static size_t used_bytes;
static int accesses; /* DeviceAccess objects alive */

/* ---- the two ways to keep the host out ---- */

#ifdef __SANITIZE_ADDRESS__

static void *map_device(size_t bytes, Allocation &)
{
    void *p = nullptr;
    return posix_memalign(&p, 256, bytes) == 0 ? p : nullptr;
}

/* True: the addresses stay taken, so that on_fault() can tell. */
static bool unmap_device(void *p, const Allocation &a)
{
    __asan_unpoison_memory_region(p, a.bytes);
    std::free(p);
    return false;
}

static void set_access(uintptr_t address, const Allocation &a, bool allowed)
{
    void *p = reinterpret_cast<void *>(address);
    if (allowed)
        __asan_unpoison_memory_region(p, a.bytes);
    else
        __asan_poison_memory_region(p, a.bytes);
}

#else

/* The allocation whose pages the address is in, or end(). */
static Allocations::const_iterator find_pages(const Allocations &in, uintptr_t at)
{
    auto it = in.upper_bound(at);
    return it != in.begin() && at < (--it)->first + it->second.mapped ? it : in.end();
}

static void on_fault(int signal, siginfo_t *info, void *)
{
    const uintptr_t at = reinterpret_cast<uintptr_t>(info->si_addr);
    if (const auto it = find_pages(freed, at); it != freed.end())
        die("access to freed device memory: byte %zu of an allocation of %zu", at - it->first,
            it->second.bytes);
    if (const auto it = find_pages(allocations, at); it != allocations.end())
        die("%s: byte %zu of an allocation of %zu",
            at >= it->first + it->second.bytes ? "access after the end of device memory"
                                               : "host code touched device memory",
            at - it->first, it->second.bytes);
    ::signal(signal, SIG_DFL); /* not ours: the access is repeated, and kills */
}

/* The allocation ends near the end of a page, and a page without access follows. */
static void *map_device(size_t bytes, Allocation &a)
{
    static bool watching = false;
    if (!watching) {
        struct sigaction action = {};
        action.sa_sigaction = on_fault;
        action.sa_flags = SA_SIGINFO | SA_NODEFER;
        sigaction(SIGSEGV, &action, nullptr);
        watching = true;
    }
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    a.mapped = (bytes + page - 1) / page * page + page;
    a.mapping =
        mmap(nullptr, a.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (a.mapping == MAP_FAILED) return nullptr;
    madvise(a.mapping, a.mapped, MADV_HUGEPAGE); /* or protecting would be most of the work */
    return static_cast<char *>(a.mapping) + a.mapped - page - (bytes + 255) / 256 * 256;
}

static bool unmap_device(void *, const Allocation &a)
{
    mprotect(a.mapping, a.mapped, PROT_NONE);
    madvise(a.mapping, a.mapped, MADV_DONTNEED);
    return true;
}

static void set_access(uintptr_t, const Allocation &a, bool allowed)
{
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    mprotect(a.mapping, a.mapped - page, allowed ? PROT_READ | PROT_WRITE : PROT_NONE);
}

#endif

static void set_all_access(bool allowed)
{
    for (const auto &[address, a] : allocations)
        if (a.kind == Memory::Device) set_access(address, a, allowed);
}

DeviceAccess::DeviceAccess()
{
    if (accesses++ == 0) set_all_access(true);
}

DeviceAccess::~DeviceAccess()
{
    if (--accesses == 0) set_all_access(false);
}

/* ---- allocations ---- */

void *device_alloc(size_t bytes)
{
    if (bytes > total_bytes - used_bytes) return nullptr;
    Allocation a = {bytes, Memory::Device, nullptr, 0};
    void *p = map_device(bytes, a);
    if (!p) return nullptr;
    used_bytes += bytes;
    const auto it = allocations.emplace(reinterpret_cast<uintptr_t>(p), a).first;
    set_access(it->first, a, true);
    std::memset(p, 0xff, bytes); /* NaNs */
    set_access(it->first, a, accesses > 0);
    return p;
}

bool device_free(void *p)
{
    const auto it = allocations.find(reinterpret_cast<uintptr_t>(p));
    if (it == allocations.end() || it->second.kind != Memory::Device) return false;
    used_bytes -= it->second.bytes;
    it->second.kind = Memory::Freed;
    if (unmap_device(p, it->second)) freed.insert(*it);
    allocations.erase(it);
    return true;
}

void *pinned_alloc(size_t bytes)
{
    void *p = std::malloc(bytes);
    if (!p) return nullptr;
    std::memset(p, 0xff, bytes); /* NaNs */
    allocations[reinterpret_cast<uintptr_t>(p)] = {bytes, Memory::Pinned, nullptr, 0};
    return p;
}

bool pinned_free(void *p)
{
    const auto it = allocations.find(reinterpret_cast<uintptr_t>(p));
    if (it == allocations.end() || it->second.kind != Memory::Pinned) return false;
    std::free(p);
    allocations.erase(it);
    return true;
}

void memory_info(size_t *free_bytes, size_t *total)
{
    *free_bytes = total_bytes - used_bytes;
    *total = total_bytes;
}

static bool holds(const Allocations &in, const void *p, size_t bytes, Memory &kind)
{
    const uintptr_t at = reinterpret_cast<uintptr_t>(p);
    auto it = in.upper_bound(at);
    if (it == in.begin()) return false;
    --it;
    const size_t offset = at - it->first, size = it->second.bytes;
    kind = it->second.kind;
    return offset <= size && bytes <= size - offset;
}

Memory memory_kind(const void *p, size_t bytes)
{
    Memory kind;
    return holds(allocations, p, bytes, kind) || holds(freed, p, bytes, kind) ? kind
                                                                              : Memory::Pageable;
}
} // namespace standin
