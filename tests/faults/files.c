/* Files: the calls that read, write and order them. */
#define _GNU_SOURCE /* open64 */
#include "faults.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* REAL(write): the function behind ours, of the same type. */
#define REAL(name)                                                                                 \
    static __typeof__(name) *real_##name;                                                          \
    if (!real_##name) {                                                                            \
        void *found = faults_real(#name);                                                          \
        memcpy(&real_##name, &found, sizeof found);                                                \
    }

static bool is_on(void) { return faults.running && faults.kind == FAULTS_FILES; }

/* The path as the log has it, relative to the root; NULL: it does not concern us. */
static const char *under_root(const char *path)
{
    const size_t length = strlen(faults.root);
    if (*path != '/') return path;
    if (length == 0 || strncmp(path, faults.root, length) != 0) return NULL;
    return path[length] == '/' ? path + length + 1 : path[length] ? NULL : ".";
}

/* The path behind a descriptor; "" if it has none. */
static const char *path_of(char out[PATH_MAX], int fd)
{
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(link, out, PATH_MAX - 1);
    out[length < 0 ? 0 : length] = 0;
    return *out == '/' ? out : "/"; /* of pipes and the like it is "pipe:[1]" */
}

/* What a signal can interrupt, and reads and writes, which may be short. */
enum { PLAIN = 0, INTERRUPTIBLE = 1, TRANSFER = 2 };

static fault choose(bool due, const char *call, int traits)
{
    static const char *interrupted; /* the call before, if it was */
    const char *before = interrupted;
    interrupted = NULL;
    if (!due) return FAULT_NONE;
    if (faults.error == FAULTS_KILL) kill(getpid(), SIGKILL);
    if (faults.error == FAULTS_SHORT) return traits & TRANSFER ? FAULT_SHORT : FAULT_NONE;
    if (faults.error != EINTR) return FAULT_FAIL;
    if (!(traits & INTERRUPTIBLE) || before == call) return FAULT_NONE;
    if (strncmp(call, "close", 5) != 0) interrupted = call; /* close is not to be tried again */
    return FAULT_FAIL;
}

static fault on_path(const char *call, const char *path, int traits)
{
    unsigned long number;
    const char *shown = is_on() ? under_root(path) : NULL;
    if (!shown) return FAULT_NONE;
    const fault what = choose(faults_count(&number), call, traits);
    faults_log("%lu %s %s%s", number, call, shown, what == FAULT_FAIL ? " failed" : "");
    if (what == FAULT_FAIL) errno = faults.error;
    return what;
}

static fault on_fd(const char *call, int fd, int traits)
{
    char path[PATH_MAX];
    return is_on() && fd > STDERR_FILENO ? on_path(call, path_of(path, fd), traits) : FAULT_NONE;
}

static fault on_entry(const char *call, int dir, const char *name, int traits)
{
    char path[PATH_MAX], whole[4 * PATH_MAX];
    if (!is_on()) return FAULT_NONE;
    if (dir == AT_FDCWD || *name == '/') return on_path(call, name, traits);
    snprintf(whole, sizeof whole, "%s/%s", path_of(path, dir), name);
    return on_path(call, whole, traits);
}

/* ---- opening and closing ---- */

static int open_entry(int dir, const char *path, int flags, mode_t mode)
{
    if (on_entry("open", dir, path, INTERRUPTIBLE)) return -1;
    return (int)syscall(SYS_openat, dir, path, flags, mode);
}

#define MODE_ARGUMENT(flags, mode)                                                                 \
    mode_t mode = 0;                                                                               \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                       \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        mode = va_arg(args, mode_t);                                                               \
        va_end(args);                                                                              \
    }

int open(const char *path, int flags, ...)
{
    MODE_ARGUMENT(flags, mode)
    return open_entry(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE_ARGUMENT(flags, mode)
    return open_entry(AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
    MODE_ARGUMENT(flags, mode)
    return open_entry(dir, path, flags, mode);
}

int openat64(int dir, const char *path, int flags, ...)
{
    MODE_ARGUMENT(flags, mode)
    return open_entry(dir, path, flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    REAL(fopen)
    return on_path("open", path, INTERRUPTIBLE) ? NULL : real_fopen(path, mode);
}

DIR *opendir(const char *path)
{
    REAL(opendir)
    return on_path("opendir", path, PLAIN) ? NULL : real_opendir(path);
}

/* `reading` if nothing can be written there, else `writing`. */
static const char *by_mode(int fd, const char *reading, const char *writing)
{
    return (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY ? reading : writing;
}

/* The descriptor is free again even if it fails. */
int close(int fd)
{
    const fault what = on_fd(by_mode(fd, "close-read", "close"), fd, INTERRUPTIBLE);
    const int failed = (int)syscall(SYS_close, fd);
    if (what) errno = faults.error;
    return what ? -1 : failed;
}

/* ---- reading and writing ---- */

static size_t part_of(size_t size, fault what)
{
    return what == FAULT_SHORT ? (size + 1) / 2 : size;
}

ssize_t read(int fd, void *bytes, size_t size)
{
    const fault what = on_fd("read", fd, INTERRUPTIBLE | TRANSFER);
    return what == FAULT_FAIL ? -1 : syscall(SYS_read, fd, bytes, part_of(size, what));
}

ssize_t __read_chk(int fd, void *bytes, size_t size, size_t room); /* read, with _FORTIFY_SOURCE */
ssize_t __read_chk(int fd, void *bytes, size_t size, size_t room)
{
    if (size > room) abort();
    return read(fd, bytes, size);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    const fault what = on_fd("write", fd, INTERRUPTIBLE | TRANSFER);
    return what == FAULT_FAIL ? -1 : syscall(SYS_write, fd, bytes, part_of(size, what));
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    const fault what = on_fd("write", fd, INTERRUPTIBLE | TRANSFER);
    return what == FAULT_FAIL ? -1 : syscall(SYS_pwrite64, fd, bytes, part_of(size, what), offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    const fault what = on_fd("write", fd, INTERRUPTIBLE | TRANSFER);
    if (what == FAULT_FAIL) return -1;
    return what == FAULT_SHORT && count > 0
               ? syscall(SYS_write, fd, parts->iov_base, part_of(parts->iov_len, what))
               : syscall(SYS_writev, fd, parts, count);
}

off_t lseek(int fd, off_t offset, int from)
{
    return on_fd("lseek", fd, PLAIN) ? -1 : (off_t)syscall(SYS_lseek, fd, offset, from);
}

int ftruncate(int fd, off_t size)
{
    return on_fd("truncate", fd, INTERRUPTIBLE) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

int truncate(const char *path, off_t size)
{
    return on_path("truncate", path, INTERRUPTIBLE) ? -1 : (int)syscall(SYS_truncate, path, size);
}

int fsync(int fd) { return on_fd("fsync", fd, INTERRUPTIBLE) ? -1 : (int)syscall(SYS_fsync, fd); }

int fdatasync(int fd)
{
    return on_fd("fsync", fd, INTERRUPTIBLE) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

/* ---- names ---- */

/* The log shows the new path and, after a space, the old name. */
static fault on_rename(int dir, const char *from, const char *to)
{
    char both[2 * PATH_MAX];
    const char *slash = strrchr(from, '/');
    snprintf(both, sizeof both, "%s %s", to, slash ? slash + 1 : from);
    return on_entry("rename", dir, both, PLAIN);
}

int rename(const char *from, const char *to)
{
    return on_rename(AT_FDCWD, from, to) ? -1 : (int)syscall(SYS_rename, from, to);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    if (on_rename(to_dir, from, to)) return -1;
    return (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
}

int unlink(const char *path)
{
    return on_path("unlink", path, PLAIN) ? -1 : (int)syscall(SYS_unlink, path);
}

int unlinkat(int dir, const char *name, int flags)
{
    if (on_entry("unlink", dir, name, PLAIN)) return -1;
    return (int)syscall(SYS_unlinkat, dir, name, flags);
}

int mkdir(const char *path, mode_t mode)
{
    return on_path("mkdir", path, PLAIN) ? -1 : (int)syscall(SYS_mkdir, path, mode);
}

int stat(const char *restrict path, struct stat *restrict info)
{
    REAL(stat)
    return on_path("stat", path, PLAIN) ? -1 : real_stat(path, info);
}

int fstat(int fd, struct stat *info)
{
    REAL(fstat)
    return on_fd(by_mode(fd, "stat-read", "stat"), fd, PLAIN) ? -1 : real_fstat(fd, info);
}

int flock(int fd, int operation)
{
    return on_fd("flock", fd, INTERRUPTIBLE) ? -1 : (int)syscall(SYS_flock, fd, operation);
}
