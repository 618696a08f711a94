#define _POSIX_C_SOURCE 200809L /* glob, scandir, strdup */
#include "picture_paths.h"
#include "io/file.h"
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* Takes `path`; NULL is lack of memory. */
static mg_status add(picture_paths *p, char *path)
{
    /* Room for a power of two of them. */
    if (path && (p->count & (p->count - 1)) == 0) {
        char **more = realloc(p->paths, (p->count ? 2 * (size_t)p->count : 1) * sizeof *more);
        if (more) p->paths = more;
        if (!more) {
            free(path);
            path = NULL;
        }
    }
    if (!path) return mg__fail(MG_ERR_MEMORY, "out of memory for the names of pictures");
    p->paths[p->count++] = path;
    return MG_OK;
}

static int is_picture(const struct dirent *entry)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg", ".bmp",
                                          ".pnm", ".pbm", ".pgm",  ".ppm"};
    const char *dot = strrchr(entry->d_name, '.');
    for (int i = 0; dot && dot > entry->d_name && i < MG_COUNT_OF(endings); i++)
        if (!strcasecmp(dot, endings[i])) return 1;
    return 0;
}

static mg_status add_directory(picture_paths *p, const char *folder)
{
    struct dirent **entries;
    const int count = scandir(folder, &entries, is_picture, alphasort);
    if (count < 0) return mg__fail(MG_ERR_IO, "%s: cannot read: %s", folder, strerror(errno));
    const size_t length = strlen(folder);
    mg_status st = count ? MG_OK : mg__fail(MG_ERR_NOT_FOUND, "%s: no picture in it", folder);
    for (int i = 0; i < count; i++) {
        const char *slash = folder[length - 1] == '/' ? "" : "/";
        if (!st) st = add(p, mg__format("%s%s%s", folder, slash, entries[i]->d_name));
        free(entries[i]);
    }
    free(entries);
    return st;
}

static mg_status add_pattern(picture_paths *p, const char *pattern)
{
    glob_t found;
    const int code = glob(pattern, 0, NULL, &found);
    if (code == GLOB_NOMATCH)
        return mg__fail(MG_ERR_NOT_FOUND, "%s: no file matches the pattern", pattern);
    if (code) return mg__fail(MG_ERR_IO, "%s: cannot be expanded", pattern);
    mg_status st = MG_OK;
    for (size_t i = 0; i < found.gl_pathc && !st; i++) st = add(p, strdup(found.gl_pathv[i]));
    globfree(&found);
    return st;
}

mg_status picture_paths_expand(picture_paths *out, char **words, int count)
{
    mg_status st = MG_OK;
    picture_paths p = {0};
    for (int i = 0; i < count && !st; i++) {
        struct stat info;
        const bool there = stat(words[i], &info) == 0;
        if (there && S_ISDIR(info.st_mode))
            st = add_directory(&p, words[i]);
        else if (!there && words[i][strcspn(words[i], "*?[")])
            st = add_pattern(&p, words[i]);
        else
            st = add(&p, strdup(words[i]));
    }
    if (st)
        picture_paths_free(&p);
    else
        *out = p;
    return st;
}

void picture_paths_free(picture_paths *p)
{
    for (int i = 0; i < p->count; i++) free(p->paths[i]);
    free(p->paths);
    *p = (picture_paths){0};
}
