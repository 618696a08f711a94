#define _POSIX_C_SOURCE 200809L /* isatty, nl_langinfo */
#include "term.h"
#include "text.h"
#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool term_is_live(int fd)
{
    const char *term = getenv("TERM");
    return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

int term_width(int fd)
{
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

const char *term_style(char out[16], int fd, const char *code)
{
    const char *no_color = getenv("NO_COLOR");
    out[0] = 0;
    if (term_is_live(fd) && !(no_color && *no_color)) snprintf(out, 16, "\033[%sm", code);
    return out;
}

bool term_shows_unicode(int fd)
{
    return term_is_live(fd) && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

void term_write(char *text)
{
    if (isatty(STDOUT_FILENO)) mg__text_clean(text, true);
    fputs(text, stdout);
}

void term_print(const char *fmt, ...)
{
    static char text[1 << 16];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    term_write(text);
}

void term_bar(char *out, size_t size, int fd, double fraction, int cells)
{
    static const char *const eighths[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
    if (cells > TERM_BAR_CELLS) cells = TERM_BAR_CELLS;
    if (!(fraction > 0)) fraction = 0;
    if (fraction > 1) fraction = 1;
    const bool unicode = term_shows_unicode(fd);
    const int filled = (int)(fraction * cells * 8 + 0.5); /* in eighths of a cell */
    size_t used = 0;
    out[0] = 0;
    for (int i = 0; i < cells && used < size; i++) {
        const int left = filled - 8 * i, part = left < 0 ? 0 : left > 8 ? 8 : left;
        const char *cell = unicode ? eighths[part] : part >= 4 ? "#" : " ";
        used += (size_t)snprintf(out + used, size - used, "%s", cell);
    }
}

/* ---- the progress line ---- */

static bool drawn;

/* The bytes of `text` that take at most `columns` columns (one for each UTF-8 character). */
static int cut(const char *text, int columns)
{
    int bytes = 0;
    for (; text[bytes]; bytes++)
        if (((unsigned char)text[bytes] & 0xc0) != 0x80 && columns-- == 0) break;
    return bytes;
}

void term_draw(const char *fmt, ...)
{
    char line[1024];
    va_list args;
    if (!term_is_live(STDERR_FILENO)) return;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    fprintf(stderr, "\r%.*s\033[K", cut(line, term_width(STDERR_FILENO) - 1), line);
    fflush(stderr);
    drawn = true;
}

void term_clear(void)
{
    if (drawn) fputs("\r\033[K", stderr);
    drawn = false;
}
