#define _POSIX_C_SOURCE 200809L /* openat, renameat, fsync */
#include "io/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
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

/* read() and write() that go on after a signal. */
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

static bool sync_file(int fd)
{
    int failed;
    do failed = fsync(fd);
    while (failed && errno == EINTR);
    return !failed;
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
    const int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
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
    const int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int error = errno;
    free(parent);
    errno = error;
    return fd;
}

/* O_EXCL, so that no link somebody put there is followed; a file of this name is what a killed
 * process with our id left behind. */
static int create_temporary(int dir, const char *name)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    int fd = openat(dir, name, flags, 0666);
    if (fd < 0 && errno == EEXIST && unlinkat(dir, name, 0) == 0)
        fd = openat(dir, name, flags, 0666);
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
    if (!sync_file(fd)) MG_FAIL(MG_ERR_IO, "%s: cannot write: fsync: %s", path, strerror(errno));
    const int failed = close(fd);
    fd = -1; /* closed even where close reports an error */
    if (failed) MG_FAIL(MG_ERR_IO, "%s: cannot write: close: %s", path, strerror(errno));
    if (renameat(dir, temporary, dir, name))
        MG_FAIL(MG_ERR_IO, "%s: cannot rename %s: %s", path, temporary, strerror(errno));
    temporary_there = false;
    /* EINVAL: a file system whose directories cannot be synced, and need not be. */
    if (!sync_file(dir) && errno != EINVAL)
        MG_FAIL(MG_ERR_IO, "%s: cannot sync its directory: %s", path, strerror(errno));
out:
    if (fd >= 0) close(fd);
    if (temporary_there) unlinkat(dir, temporary, 0);
    if (dir >= 0) close(dir);
    free(temporary);
    return st;
}

mg_status mg__file_append(const char *path, const void *bytes, size_t size)
{
    mg_status st = MG_OK;
    struct stat info;
    const int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) MG_FAIL(MG_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    if (fstat(fd, &info)) MG_FAIL(MG_ERR_IO, "%s: cannot read: %s", path, strerror(errno));
    if (!write_all(fd, bytes, size)) {
        const int error = errno;
        (void)!ftruncate(fd, info.st_size); /* of a part that was written */
        MG_FAIL(MG_ERR_IO, "%s: cannot write: %s", path, strerror(error));
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
    const bool begins = st == MG_ERR_NOT_FOUND || (!st && memcmp(found, bytes, length) == 0);
    free(found);
    if (st == MG_ERR_IO || st == MG_ERR_MEMORY) return st;
    return begins ? mg__file_append(path, (const uint8_t *)bytes + length, size - length)
                  : mg__file_replace(path, &(mg_slice){bytes, size}, 1);
}

/* True if `path` is a directory now; else errno says why not. */
static bool make_dir(const char *path)
{
    if (mkdir(path, 0777) == 0) return true;
    const int error = errno;
    struct stat info;
    if (stat(path, &info) == 0) {
        if (S_ISDIR(info.st_mode)) return true;
        errno = ENOTDIR;
    } else {
        errno = error;
    }
    return false;
}

mg_status mg__make_dirs(const char *path)
{
    mg_status st = MG_OK;
    char *part = mg__format("%s", path);
    if (!part) MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", path);
    for (char *c = part; *c; c++) { /* each parent: the path cut at a slash */
        if (*c != '/' || c == part) continue;
        *c = 0;
        if (!make_dir(part))
            MG_FAIL(MG_ERR_IO, "%s: cannot create directory: %s", part, strerror(errno));
        *c = '/';
    }
    if (!make_dir(part))
        MG_FAIL(MG_ERR_IO, "%s: cannot create directory: %s", part, strerror(errno));
out:
    free(part);
    return st;
}
