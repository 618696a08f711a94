#define _POSIX_C_SOURCE 200809L /* openat, renameat, fsync, truncate */
#include "io/file.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *mg__vformat(const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    const int length = vsnprintf(NULL, 0, fmt, args);
    char *text = length < 0 ? NULL : malloc((size_t)length + 1);
    if (text) vsnprintf(text, (size_t)length + 1, fmt, again);
    va_end(again);
    return text;
}

char *mg__format(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = mg__vformat(fmt, args);
    va_end(args);
    return text;
}

const char *mg__shown(char out[MG_SHOWN_SIZE], const char *text)
{
    const int length = snprintf(out, MG_SHOWN_SIZE, "%s", text);
    if (length >= MG_SHOWN_SIZE) memcpy(out + MG_SHOWN_SIZE - 4, "...", 4);
    for (char *c = out; *c; c++)
        if (*c < ' ' || *c > '~') *c = '?';
    return out;
}

/* ---- system calls that go on after a signal ---- */

int mg__open_at(int dir, const char *path, int flags)
{
    int fd;
    do fd = openat(dir, path, flags | O_CLOEXEC, 0666);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static ssize_t read_some(int fd, void *bytes, size_t size)
{
    ssize_t got;
    do got = read(fd, bytes, size);
    while (got < 0 && errno == EINTR);
    return got;
}

static bool write_all(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        const ssize_t put = write(fd, bytes, size);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return false;
        bytes += put;
        size -= (size_t)put;
    }
    return true;
}

bool mg__sync(int fd)
{
    int failed;
    do failed = fsync(fd);
    while (failed && errno == EINTR);
    return !failed;
}

/* Closed it is even where close reports an error; a signal is none. */
static bool close_file(int fd) { return close(fd) == 0 || errno == EINTR; }

/* Of a directory: makes the names in it last. EINVAL: a file system whose directories cannot be
 * synced, and need not be. */
static bool sync_dir(int fd) { return mg__sync(fd) || errno == EINVAL; }

/* ---- reading ---- */

mg_status mg__file_find(bool *there, struct stat *info, const char *path)
{
    *there = stat(path, info) == 0;
    if (!*there && errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG)
        return mg__fail(MG_ERR_IO, "%s: %s", path, strerror(errno));
    return MG_OK;
}

/* The first guess of a buffer's size: one more than a regular file holds, so that its end is seen
 * without growing. */
static size_t first_capacity(int fd, size_t limit)
{
    struct stat info;
    size_t guess = 1 << 16;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0)
        guess = (size_t)info.st_size + 1;
    return guess < limit ? guess : limit + 1;
}

mg_status mg__file_read(uint8_t **out, size_t *size, const char *path, size_t limit)
{
    mg_status st = MG_OK;
    uint8_t *bytes = NULL;
    size_t length = 0, capacity = 0;
    const bool is_stdin = strcmp(path, "-") == 0;
    const char *shown = is_stdin ? "standard input" : path;

    if (limit > SIZE_MAX / 4) limit = SIZE_MAX / 4; /* sizes below cannot overflow */
    const int fd = is_stdin ? STDIN_FILENO : mg__open_at(AT_FDCWD, path, O_RDONLY);
    if (fd < 0)
        MG_FAIL(errno == ENOENT || errno == ENOTDIR ? MG_ERR_NOT_FOUND : MG_ERR_IO,
                "%s: cannot open: %s", shown, strerror(errno));
    for (;;) {
        if (length == capacity) {
            capacity = capacity ? 2 * capacity : first_capacity(fd, limit);
            if (capacity > limit + 1) capacity = limit + 1;
            uint8_t *larger = realloc(bytes, capacity + 1); /* and the NUL */
            if (!larger) MG_FAIL(MG_ERR_MEMORY, "%s: no memory for %zu bytes", shown, capacity);
            bytes = larger;
        }
        const ssize_t got = read_some(fd, bytes + length, capacity - length);
        if (got < 0) MG_FAIL(MG_ERR_IO, "%s: cannot read: %s", shown, strerror(errno));
        if (got == 0) break;
        length += (size_t)got;
        if (length > limit)
            MG_FAIL(MG_ERR_FORMAT, "%s: more than the %zu bytes allowed", shown, limit);
    }
    bytes[length] = 0;
    *out = bytes;
    *size = length;
    bytes = NULL;
out:
    free(bytes);
    if (fd >= 0 && !is_stdin) close(fd);
    return st;
}

/* ---- writing ---- */

/* Opens the directory that `path` lies in; *name points at the last component. */
static int open_parent(const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    char *parent = !slash          ? mg__format(".")
                   : slash == path ? mg__format("/")
                                   : mg__format("%.*s", (int)(slash - path), path);
    if (!parent) {
        errno = ENOMEM;
        return -1;
    }
    const int fd = mg__open_at(AT_FDCWD, parent, O_RDONLY | O_DIRECTORY);
    const int error = errno;
    free(parent);
    errno = error;
    return fd;
}

/* O_EXCL, so that no link somebody put there is followed; a file of this name is what a killed
 * process with our id left behind. */
static int create_temporary(int dir, const char *name)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL;
    int fd = mg__open_at(dir, name, flags);
    if (fd < 0 && errno == EEXIST && unlinkat(dir, name, 0) == 0)
        fd = mg__open_at(dir, name, flags);
    return fd;
}

mg_status mg__file_replace(const char *path, const mg_slice *slices, int count)
{
    mg_status st = MG_OK;
    const char *name;
    int fd = -1;
    bool temporary_there = false;
    char *temporary = NULL;

    const int dir = open_parent(path, &name);
    if (dir < 0) MG_FAIL(MG_ERR_IO, "%s: cannot open its directory: %s", path, strerror(errno));
    temporary = mg__format("%s.tmp.%ld", name, (long)getpid());
    if (!temporary) MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", path);
    fd = create_temporary(dir, temporary);
    if (fd < 0) MG_FAIL(MG_ERR_IO, "%s: cannot create %s: %s", path, temporary, strerror(errno));
    temporary_there = true;

    for (int i = 0; i < count; i++)
        if (!write_all(fd, slices[i].bytes, slices[i].size))
            MG_FAIL(MG_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
    if (!mg__sync(fd)) MG_FAIL(MG_ERR_IO, "%s: cannot write: fsync: %s", path, strerror(errno));
    const bool closed = close_file(fd);
    fd = -1;
    if (!closed) MG_FAIL(MG_ERR_IO, "%s: cannot write: close: %s", path, strerror(errno));
    if (renameat(dir, temporary, dir, name))
        MG_FAIL(MG_ERR_IO, "%s: cannot rename %s: %s", path, temporary, strerror(errno));
    temporary_there = false;
    if (!sync_dir(dir))
        MG_FAIL(MG_ERR_IO, "%s: cannot sync its directory: %s", path, strerror(errno));
out:
    if (fd >= 0) close(fd);
    if (temporary_there) unlinkat(dir, temporary, 0);
    if (dir >= 0) close(dir);
    free(temporary);
    return st;
}

static bool cut(const char *path, off_t size)
{
    int failed;
    do failed = truncate(path, size);
    while (failed && errno == EINTR);
    return !failed;
}

mg_status mg__file_cut(const char *path, size_t size)
{
    return cut(path, (off_t)size)
               ? MG_OK
               : mg__fail(MG_ERR_IO, "%s: cannot cut it: %s", path, strerror(errno));
}

mg_status mg__file_append(const char *path, const void *bytes, size_t size)
{
    mg_status st = MG_OK;
    struct stat info;
    int fd = mg__open_at(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW);
    if (fd < 0) MG_FAIL(MG_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    if (fstat(fd, &info)) MG_FAIL(MG_ERR_IO, "%s: cannot read: %s", path, strerror(errno));
    if (!write_all(fd, bytes, size)) st = MG_ERR_IO;
    int error = errno;
    if (!close_file(fd) && !st) {
        st = MG_ERR_IO;
        error = errno;
    }
    fd = -1;
    if (st) {
        cut(path, info.st_size); /* of a part that was written */
        MG_FAIL(st, "%s: cannot write: %s", path, strerror(error));
    }
out:
    if (fd >= 0) close(fd);
    return st;
}

mg_status mg__file_extend(const char *path, const void *bytes, size_t size)
{
    uint8_t *found = NULL;
    size_t length = 0;
    mg_status st = mg__file_read(&found, &length, path, size);
    assert(st || found);
    const bool begins = st == MG_ERR_NOT_FOUND || (!st && memcmp(found, bytes, length) == 0);
    free(found);
    if (st == MG_ERR_IO || st == MG_ERR_MEMORY) return st;
    return begins ? mg__file_append(path, (const uint8_t *)bytes + length, size - length)
                  : mg__file_replace(path, &(mg_slice){bytes, size}, 1);
}

/* ---- directories ---- */

mg_status mg__sync_parent(const char *path)
{
    const char *name;
    const int fd = open_parent(path, &name);
    const bool synced = fd >= 0 && sync_dir(fd);
    const int error = errno;
    if (fd >= 0) close(fd);
    return synced ? MG_OK
                  : mg__fail(MG_ERR_IO, "%s: cannot sync its directory: %s", path, strerror(error));
}

static mg_status make_dir(const char *path)
{
    if (mkdir(path, 0777) == 0) return mg__sync_parent(path);
    int error = errno;
    struct stat info;
    bool there = false;
    const mg_status st = mg__file_find(&there, &info, path);
    if (st || (there && S_ISDIR(info.st_mode))) return st;
    if (there) error = ENOTDIR;
    return mg__fail(MG_ERR_IO, "%s: cannot create directory: %s", path, strerror(error));
}

mg_status mg__make_dirs(const char *path)
{
    mg_status st = MG_OK;
    char *part = mg__format("%s", path);
    if (!part) MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", path);
    for (char *c = part; *c; c++) { /* each parent: the path cut at a slash */
        if (*c != '/' || c == part) continue;
        *c = 0;
        MG_TRY(make_dir(part));
        *c = '/';
    }
    MG_TRY(make_dir(part));
out:
    free(part);
    return st;
}
