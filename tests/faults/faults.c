#define _GNU_SOURCE /* RTLD_NEXT */
#include "faults.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

faults_plan faults = {.log = -1};

static atomic_ulong calls;

void *faults_real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

bool faults_count(unsigned long *number)
{
    *number = atomic_fetch_add(&calls, 1) + 1;
    return faults.and_after ? *number >= faults.at : *number == faults.at;
}

/* By system calls: ours would be counted, and a FILE takes memory. */
void faults_log(const char *fmt, ...)
{
    char line[4200];
    va_list args;
    if (faults.log < 0) return;
    va_start(args, fmt);
    const int length = vsnprintf(line, sizeof line - 1, fmt, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof line - 1) abort();
    line[length] = '\n';
    if (syscall(SYS_write, faults.log, line, (size_t)length + 1) != length + 1) abort();
}

/* ---- the environment ---- */

static int error_of(const char *name)
{
    static const struct {
        const char *name;
        int value;
    } errors[] = {
        {"short", FAULTS_SHORT}, {"kill", FAULTS_KILL}, {"EINTR", EINTR},   {"EIO", EIO},
        {"ENOSPC", ENOSPC},      {"EACCES", EACCES},    {"EDQUOT", EDQUOT}, {"EMFILE", EMFILE},
        {"ENOMEM", ENOMEM}};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (strcmp(errors[i].name, name) == 0) return errors[i].value;
    fprintf(stderr, "FAULTS_ERROR: unknown: %s\n", name);
    abort();
}

static void read_environment(void)
{
    const char *kind = getenv("FAULTS_CALLS"), *at = getenv("FAULTS_AT");
    const char *error = getenv("FAULTS_ERROR"), *log = getenv("FAULTS_LOG");
    const char *root = getenv("FAULTS_ROOT");
    char *rest = "";
    if (!kind) return; /* a program that was started by the one to be tested */
    faults.kind = strcmp(kind, "memory") ? FAULTS_FILES : FAULTS_MEMORY;
    faults.error = error_of(error ? error : "EIO");
    if (at) faults.at = strtoul(at, &rest, 10);
    faults.and_after = *rest == '+';
    snprintf(faults.root, sizeof faults.root, "%s", root ? root : "");
    if (!log) return;
    /* A high number, so that the program's own descriptors are as ever. */
    const int fd = (int)syscall(SYS_openat, AT_FDCWD, log,
                                O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
    faults.log = fcntl(fd, F_DUPFD_CLOEXEC, 100);
    if (fd < 0 || faults.log < 0) abort();
    syscall(SYS_close, fd);
}

/* ---- main ---- */

typedef int main_function(int, char **, char **);
typedef int start_function(main_function *, int, char **, void (*)(void), void (*)(void),
                           void (*)(void), void *);
static main_function *real_main;

static int watched_main(int argc, char **argv, char **environment)
{
    read_environment();
    faults.running = true;
    const int code = real_main(argc, argv, environment);
    faults.running = false;
    if (faults.kind == FAULTS_MEMORY) faults_log_live();
    faults_log("calls %lu", atomic_load(&calls));
    return code;
}

/* How the C library starts a program. */
int __libc_start_main(main_function *main, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*linker_fini)(void), void *stack_end);
int __libc_start_main(main_function *main, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*linker_fini)(void), void *stack_end)
{
    void *real = faults_real("__libc_start_main");
    start_function *start;
    memcpy(&start, &real, sizeof start); /* POSIX allows what C does not: a pointer to a function */
    real_main = main;
    return start(watched_main, argc, argv, init, fini, linker_fini, stack_end);
}
