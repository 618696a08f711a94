/* Files: whole reads with a limit, and replacement that is never half done. */
#ifndef MG_FILE_H
#define MG_FILE_H

#include "error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads a whole file; path "-" is standard input. *out is malloc'd, with a NUL after its `size`
 * bytes. MG_ERR_NOT_FOUND, MG_ERR_IO, MG_ERR_FORMAT if it is larger than `limit`. */
mg_status mg__file_read(uint8_t **out, size_t *size, const char *path, size_t limit);

/* Replaces `path`: writes "<path>.tmp.<pid>" beside it, fsync, rename, fsync of the directory. On
 * failure the old file is untouched and the temporary one removed. */
typedef struct mg_slice {
    const void *bytes;
    size_t size;
} mg_slice;
mg_status mg__file_replace(const char *path, const mg_slice *slices, int count);

/* Appends to `path`, which is made if it is not there; a symbolic link is an error: whoever made it
 * chose the file that would grow. On failure the file is as it was. No fsync: after a loss of power
 * the end may be missing or zeros. */
mg_status mg__file_append(const char *path, const void *bytes, size_t size);

/* Cuts the file to its first `size` bytes. MG_ERR_IO. */
mg_status mg__file_cut(const char *path, size_t size);

/* Makes `path` hold these bytes: if the file is a beginning of them, by appending the rest, so that
 * a program that follows the file sees it grow; else by replacing it. */
mg_status mg__file_extend(const char *path, const void *bytes, size_t size);

/* *there: is there a file or directory of that name? Then *info is filled in. MG_ERR_IO where that
 * cannot be told. */
struct stat;
mg_status mg__file_find(bool *there, struct stat *info, const char *path);

/* open() for this program alone (O_CLOEXEC), again after a signal; `dir` may be AT_FDCWD. */
int mg__open_at(int dir, const char *path, int flags);

/* fsync(), again after a signal; false: errno says why. */
bool mg__sync(int fd);

/* After a rename or the like: makes the name `path` last, by fsync of the directory it lies in. */
mg_status mg__sync_parent(const char *path);

/* mkdir -p. */
mg_status mg__make_dirs(const char *path);

/* printf into a malloc'd string; NULL when out of memory. */
char *mg__format(const char *fmt, ...) MG_PRINTF(1, 2) MG_FRESH;
char *mg__vformat(const char *fmt, va_list args) MG_PRINTF(1, 0) MG_FRESH;

/* Text out of a file, made fit for a message: cut to MG_SHOWN_SIZE - 1 bytes, with '?' for every
 * byte that is no printable ASCII (so no file can write to a terminal or break the line). Returns
 * `out`. */
enum { MG_SHOWN_SIZE = 96 };
const char *mg__shown(char out[MG_SHOWN_SIZE], const char *text);

#endif
