#define _POSIX_C_SOURCE 200809L /* open, fsync, rename */
#include "data/download.h"
#include "data/fetch.h"
#include "data/idx.h"
#include "io/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

typedef struct download {
    const mg_known_set *set;
    mg_set_file file;
    char *path, *part; /* of <name>.gz, and of the same with .part; malloc'd */
    const char *name;  /* "<name>.gz": the end of `path` */
    const mg_mirrors *mirrors;
} download;

/* Transfers into the part, from where it ends (`resume`) or from its start, and checks it.
 * *resumed: there was something to resume. */
static mg_status fetch_part(const download *d, const char *url, bool resume, bool *resumed)
{
    mg_status st = MG_OK;
    const int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | (resume ? 0 : O_TRUNC);
    const int fd = mg__open_at(AT_FDCWD, d->part, flags);
    if (fd < 0) MG_FAIL(MG_ERR_IO, "%s: cannot open: %s", d->part, strerror(errno));
    const off_t end = lseek(fd, 0, SEEK_END);
    if (end < 0) MG_FAIL(MG_ERR_IO, "%s: cannot seek: %s", d->part, strerror(errno));
    *resumed = end > 0;

    mg_fetch fetch = {.url = url,
                      .fd = fd,
                      .offset = (uint64_t)end,
                      .limit = d->set->files[d->file].size, /* compressed it is smaller */
                      .file = d->name,
                      .progress = d->mirrors->progress,
                      .user = d->mirrors->user};
    st = mg__fetch(&fetch);
    if (st == MG_ERR_IO) mg__fail_in(st, "%s", d->part);
    if (st != MG_OK && lseek(fd, 0, SEEK_END) == 0) unlink(d->part); /* nothing has arrived */
    if (st != MG_OK) goto out;
    if (!mg__sync(fd)) MG_FAIL(MG_ERR_IO, "%s: cannot write: fsync: %s", d->part, strerror(errno));
    st = mg__known_check(d->set, d->part, d->file);
out:
    if (fd >= 0) close(fd);
    return st;
}

static bool is_wrong_content(mg_status st) { return st == MG_ERR_MISMATCH || st == MG_ERR_FORMAT; }

/* Leaves the part whole and right; one that can be resumed, if the network failed; else none. A
 * resumed one that turns out wrong gets a second chance from its start: its beginning may have come
 * from elsewhere, compressed in another way. */
static mg_status try_mirror(const download *d, const char *url)
{
    bool resumed = false;
    mg_status st = fetch_part(d, url, true, &resumed);
    if (resumed && is_wrong_content(st)) st = fetch_part(d, url, false, &resumed);
    if (is_wrong_content(st)) unlink(d->part);
    return st;
}

static mg_status try_mirrors(const download *d)
{
    mg_status st = MG_OK;
    char *url = NULL, *reasons = NULL;

    for (int i = 0; i < d->mirrors->count; i++) {
        const char *base = d->mirrors->urls[i];
        const size_t length = strlen(base);
        free(url);
        url = mg__format("%s%s%s", base, length && base[length - 1] == '/' ? "" : "/", d->name);
        if (!url) MG_FAIL(MG_ERR_MEMORY, "out of memory");
        st = try_mirror(d, url);
        if (st != MG_ERR_NETWORK && !is_wrong_content(st)) goto out;
        char *more = mg__format("%s%s%.150s: %.300s", reasons ? reasons : "", reasons ? "; " : "",
                                url, mg_last_error());
        free(reasons);
        reasons = more;
        if (!reasons) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    }
    st = mg__fail(MG_ERR_NETWORK, "%s: no mirror has it: %s", d->name, reasons ? reasons : "");
out:
    free(url);
    free(reasons);
    return st;
}

/* *right: the file that mg_dataset_load would read is there and is the set's. A damaged one at
 * `d->path` is to be replaced; another set, or a file that would come before ours, is left to its
 * owner. */
static mg_status check_present(bool *right, const download *d, const char *dir)
{
    mg_status st = MG_OK;
    mg_idx other = {0};
    char *present = NULL;

    *right = false;
    MG_TRY(mg__set_locate(&present, dir, d->file));
    if (!present) goto out;
    st = mg__known_check(d->set, present, d->file);
    *right = st == MG_OK;
    if (!is_wrong_content(st)) goto out;
    const bool ours = strcmp(present, d->path) == 0;
    if (ours && mg__idx_read(&other, present, 1, MG_IDX_MAX_DIMS) == MG_ERR_FORMAT) {
        st = MG_OK;
        goto out;
    }
    mg__known_check(d->set, present, d->file); /* for its message */
    st = mg__fail(MG_ERR_MISMATCH, "%s; move it away, or download into another directory",
                  mg_last_error());
out:
    free(other.bytes);
    free(present);
    return st;
}

mg_status mg__download_file(const char *dir, const mg_known_set *set, mg_set_file file,
                            const mg_mirrors *mirrors)
{
    mg_status st = MG_OK;
    const char *name = set->files[file].name;
    bool right = false;
    download d = {.set = set,
                  .file = file,
                  .path = mg__format("%s/%s.gz", dir, name),
                  .part = mg__format("%s/%s.gz.part", dir, name),
                  .mirrors = mirrors};

    if (!d.path || !d.part) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    d.name = d.path + strlen(dir) + 1;
    MG_TRY(check_present(&right, &d, dir));
    if (right) goto out;
    MG_TRY(try_mirrors(&d));
    if (rename(d.part, d.path))
        MG_FAIL(MG_ERR_IO, "%s: cannot rename %s: %s", d.path, d.part, strerror(errno));
    MG_TRY(mg__sync_parent(d.path));
out:
    free(d.path);
    free(d.part);
    return st;
}

/* The set of that name, or NULL; *names: all of them, malloc'd. */
static const mg_known_set *find_set(const char *name, char **names)
{
    const mg_known_set *found = NULL;
    *names = mg__format("%s", "");
    for (const mg_known_set *set = mg__known_sets; set->name && *names; set++) {
        if (!strcmp(set->name, name)) found = set;
        char *more = mg__format("%s%s%s", *names, **names ? ", " : "", set->name);
        free(*names);
        *names = more;
    }
    return found;
}

mg_status mg_dataset_download(const char *dir, const char *name, const char *mirror,
                              mg_download_progress *progress, void *user)
{
    mg_status st = MG_OK;
    char *names = NULL;
    const mg_known_set *set = find_set(name, &names);
    const char *urls[1 + MG_COUNT_OF(set->mirrors)];
    int count = 0;
    int fd = -1;

    if (!set) MG_FAIL(MG_ERR_INVALID, "no set \"%s\" (known: %s)", name, names ? names : "?");
    if (mirror) urls[count++] = mirror;
    for (int i = 0; i < MG_COUNT_OF(set->mirrors) && set->mirrors[i]; i++)
        urls[count++] = set->mirrors[i];
    const mg_mirrors mirrors = {urls, count, progress, user};

    MG_TRY(mg__make_dirs(dir));
    fd = mg__open_at(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY);
    if (fd < 0) MG_FAIL(MG_ERR_IO, "%s: cannot open: %s", dir, strerror(errno));
    /* Two processes must not write one part. Where a file system has no locks, the check of the
     * content still keeps a mixed one out. */
    flock(fd, LOCK_EX);
    for (int file = 0; file < MG_SET_FILE_COUNT; file++)
        MG_TRY(mg__download_file(dir, set, (mg_set_file)file, &mirrors));
out:
    if (fd >= 0) close(fd);
    free(names);
    return st;
}
