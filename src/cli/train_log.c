#define _POSIX_C_SOURCE 200809L /* localtime_r */
#include "train_log.h"
#include "io/file.h"
#include "io/run_files.h"
#include "io/text_stream.h"
#include "term.h"
#include "text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_LOG ((size_t)1 << 30) /* bytes */

/* Puts the text into the file, or to what waits for it. */
static mg_status keep(train_log *log, const char *text)
{
    if (log->path) return mg__file_append(log->path, text, strlen(text));
    char *longer = mg__format("%s%s", log->waiting ? log->waiting : "", text);
    if (!longer) return mg__fail(MG_ERR_MEMORY, "out of memory");
    free(log->waiting);
    log->waiting = longer;
    return MG_OK;
}

mg_status train_log_say(train_log *log, bool shown, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = mg__vformat(fmt, args);
    va_end(args);
    if (!text) return mg__fail(MG_ERR_MEMORY, "out of memory");
    mg__text_clean(text, true);
    if (shown) {
        term_clear();
        fputs(text, stdout);
    }
    const mg_status st = keep(log, text);
    free(text);
    return st;
}

static const char *now(char out[32])
{
    const time_t seconds = time(NULL);
    struct tm local;
    localtime_r(&seconds, &local);
    strftime(out, 32, "%Y-%m-%d %H:%M:%S %z", &local);
    return out;
}

/* A line that begins with the time; control characters would break it. */
static mg_status keep_line(train_log *log, char *line)
{
    mg__text_clean(line, false);
    char stamp[32], *whole = mg__format("%s  %s\n", now(stamp), line);
    const mg_status st = whole ? keep(log, whole) : mg__fail(MG_ERR_MEMORY, "out of memory");
    free(whole);
    return st;
}

/* A word of a command line as a shell takes it. */
static void print_word(FILE *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_./,:=+%@";
    if (*word && !word[strspn(word, plain)]) {
        fputs(word, out);
        return;
    }
    putc('\'', out);
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", out);
        else
            putc(*word, out);
    putc('\'', out);
}

mg_status train_log_begin(train_log *log, int argc, char **argv)
{
    char *text = NULL;
    size_t size;
    FILE *line = mg__open_text(&text, &size);
    if (!line) return mg__fail(MG_ERR_MEMORY, "out of memory");
    fprintf(line, "mnist_gpu %s: mnist_gpu train", MG_VERSION_STRING);
    for (int i = 0; i < argc; i++) {
        putc(' ', line);
        print_word(line, argv[i]);
    }
    const bool made = fclose(line) == 0;
    const mg_status st = made ? keep_line(log, text) : mg__fail(MG_ERR_MEMORY, "out of memory");
    free(text);
    return st;
}

static bool has_line(const char *text, const char *start, size_t length)
{
    for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
        if (strncmp(text, start, length) == 0) return true;
    return false;
}

/* *old: the file held whole lines before. *due: becomes NULL if one of them is like it. */
static mg_status cut_to_whole_lines(const char *path, const char **due, bool *old)
{
    uint8_t *text = NULL;
    size_t size = 0;
    mg_status st = mg__file_read(&text, &size, path, MAX_LOG);
    if (st == MG_ERR_NOT_FOUND) return MG_OK;
    if (st) return st;
    size_t whole = size;
    while (whole > 0 && text[whole - 1] != '\n') whole--;
    if (whole < size) st = mg__file_cut(path, whole);
    *old = whole > 0;
    text[whole] = 0;
    if (*due && has_line((const char *)text, *due, strcspn(*due, "/") + 1)) *due = NULL;
    free(text);
    return st;
}

mg_status train_log_open(train_log *log, const char *dir, const char *due)
{
    mg_status st;
    bool old = false;
    char *path = NULL;
    MG_TRY(mg__run_file(&path, dir, MG_RUN_LOG));
    MG_TRY(mg__file_append(path, "", 0)); /* a link to another file is refused, not cut */
    MG_TRY(cut_to_whole_lines(path, &due, &old));
    log->path = path;
    path = NULL;
    if (due) MG_TRY(keep(log, due));
    if (old || due) MG_TRY(keep(log, "\n"));
    if (log->waiting) MG_TRY(keep(log, log->waiting));
out:
    free(path);
    return st;
}

mg_status train_log_end(train_log *log, const char *how)
{
    if (!log->path) return MG_OK;
    char *line = mg__format("%s", how);
    const mg_status st = line ? keep_line(log, line) : mg__fail(MG_ERR_MEMORY, "out of memory");
    free(line);
    return st;
}

void train_log_free(train_log *log)
{
    free(log->path);
    free(log->waiting);
    *log = (train_log){0};
}
