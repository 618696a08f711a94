/* Memory: the functions that give it, each of which can fail, and who holds it. */
#define _GNU_SOURCE /* dl_iterate_phdr */
#include "faults.h"
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* glibc's own, under the names that it keeps for this. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

/* ---- what the program holds ---- */

typedef struct block {
    const void *start, *caller;
    size_t size;
} block;

enum { MAX_LIVE = 1 << 16 };
static block live[MAX_LIVE]; /* in no order; the youngest are at the end and go first */
static size_t live_count;
static pthread_mutex_t live_lock = PTHREAD_MUTEX_INITIALIZER;
static uintptr_t program_start, program_end; /* its code */

/* The first object is the program. */
static int find_program(struct dl_phdr_info *info, size_t size, void *user)
{
    (void)size;
    (void)user;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X)) continue;
        program_start = info->dlpi_addr + segment->p_vaddr;
        program_end = program_start + segment->p_memsz;
    }
    return 1;
}

static void *note_taken(void *start, size_t size, const void *caller)
{
    if (!start || !faults.running || faults.kind != FAULTS_MEMORY) return start;
    pthread_mutex_lock(&live_lock);
    if (!program_end) dl_iterate_phdr(find_program, NULL);
    if ((uintptr_t)caller >= program_start && (uintptr_t)caller < program_end) {
        if (live_count == MAX_LIVE) abort();
        live[live_count++] = (block){start, caller, size};
    }
    pthread_mutex_unlock(&live_lock);
    return start;
}

static void note_given(const void *start)
{
    if (!start || !faults.running || faults.kind != FAULTS_MEMORY) return;
    pthread_mutex_lock(&live_lock);
    for (size_t i = live_count; i-- > 0;)
        if (live[i].start == start) {
            live[i] = live[--live_count];
            break;
        }
    pthread_mutex_unlock(&live_lock);
}

void faults_log_live(void)
{
    const char *base = (const char *)program_start;
    struct link_map *program = _r_debug.r_map;
    if (program) base = (const char *)program->l_addr;
    for (size_t i = 0; i < live_count; i++)
        faults_log("live %zu %#tx", live[i].size, (const char *)live[i].caller - base);
}

/* ---- the calls ---- */

#define CALLER __builtin_return_address(0)

static bool fails(void)
{
    unsigned long number;
    if (!faults.running || faults.kind != FAULTS_MEMORY || !faults_count(&number)) return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size) { return fails() ? NULL : note_taken(__libc_malloc(size), size, CALLER); }

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : note_taken(__libc_calloc(count, size), count * size, CALLER);
}

void *realloc(void *old, size_t size)
{
    if (fails()) return NULL;
    void *fresh = __libc_realloc(old, size);
    if (!fresh && size) return NULL;
    note_given(old);
    return note_taken(fresh, size, CALLER);
}

void free(void *start)
{
    note_given(start);
    __libc_free(start);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : note_taken(__libc_memalign(alignment, size), size, CALLER);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *start = fails() ? NULL : __libc_memalign(alignment, size);
    if (!start) return ENOMEM;
    *out = note_taken(start, size, CALLER);
    return 0;
}

char *strdup(const char *text)
{
    const size_t size = strlen(text) + 1;
    char *copy = fails() ? NULL : note_taken(__libc_malloc(size), size, CALLER);
    return copy ? memcpy(copy, text, size) : NULL;
}
