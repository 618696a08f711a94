#include "io/metrics.h"
#include "io/file.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_COLUMNS = 64, MAX_BYTES = 64 << 20, MAX_EPOCH = 1 << 30 };

/* A text on its way through lines and fields. */
typedef struct reader {
    const char *path;
    char *next; /* the next line, or NULL */
    int line;   /* the number of the present one */
} reader;

static mg_status malformed(const reader *r, const char *expected, const char *found)
{
    char shown[MG_SHOWN_SIZE];
    return mg__fail(MG_ERR_FORMAT, "%s:%d: expected %s, found \"%s\"", r->path, r->line, expected,
                    mg__shown(shown, found));
}

/* Cuts *text at the first of `separator`; NULL after the last part. */
static char *cut(char **text, char separator)
{
    char *part = *text, *end = part ? strchr(part, separator) : NULL;
    if (end) *end = 0;
    *text = end ? end + 1 : NULL;
    return part;
}

/* The next line, without its end; NULL behind the last. */
static char *next_line(reader *r)
{
    char *line = r->next && *r->next ? cut(&r->next, '\n') : NULL;
    if (!line) return NULL;
    const size_t length = strlen(line);
    if (length && line[length - 1] == '\r') line[length - 1] = 0;
    r->line++;
    return line;
}

/* The column's index, or -1. */
static int find_column(const mg_metrics *m, const char *name)
{
    for (int c = 0; c < m->columns; c++)
        if (!strcmp(m->names[c], name)) return c;
    return -1;
}

static mg_status read_header(mg_metrics *m, reader *r)
{
    char *line = next_line(r);
    if (!line) return mg__fail(MG_ERR_FORMAT, "%s: empty, expected a line \"epoch,...\"", r->path);
    if (strncmp(line, "epoch,", 6)) return malformed(r, "\"epoch,\" and names of columns", line);
    for (char *name; (name = cut(&line, ','));) {
        if (!*name) return malformed(r, "a name of a column", name);
        if (find_column(m, name) >= 0) return malformed(r, "every column once", name);
        if (m->columns == MAX_COLUMNS)
            return mg__fail(MG_ERR_FORMAT, "%s:%d: more than %d columns", r->path, r->line,
                            MAX_COLUMNS);
        if (!(m->names[m->columns] = mg__format("%s", name)))
            return mg__fail(MG_ERR_MEMORY, "%s: out of memory", r->path);
        m->columns++;
    }
    return MG_OK;
}

/* Decimal notation, or nothing, which is NaN. */
static mg_status read_number(double *out, const reader *r, const char *field)
{
    char *end;
    *out = *field ? strtod(field, &end) : NAN;
    if (!*field) return MG_OK;
    if (*end || end == field || field[strspn(field, "0123456789+-.eE")] ||
        !(fabs(*out) <= MG_METRICS_MOST))
        return malformed(r, "a number", field);
    return MG_OK;
}

static mg_status read_row(mg_metrics *m, const reader *r, char *line, int row, int capacity)
{
    const char *whole = line;
    int column = 0;
    for (char *field; (field = cut(&line, ',')); column++) {
        if (column == m->columns)
            return mg__fail(MG_ERR_FORMAT, "%s:%d: more than %d fields", r->path, r->line,
                            m->columns);
        const mg_status st =
            read_number(&m->values[column * (size_t)capacity + (size_t)row], r, field);
        if (st) return st;
    }
    if (column < m->columns)
        return mg__fail(MG_ERR_FORMAT, "%s:%d: %d fields, expected %d", r->path, r->line, column,
                        m->columns);
    const double epoch = m->values[row], before = row ? m->values[row - 1] : 0;
    if (!(epoch > before) || epoch > MAX_EPOCH || epoch != floor(epoch))
        return malformed(r, "a whole number of an epoch, larger than the last", whole);
    return MG_OK;
}

static int count_lines(const char *text)
{
    int lines = 1;
    for (; (text = strchr(text, '\n')); text++) lines++;
    return lines;
}

mg_status mg__metrics_load(mg_metrics **out, const char *path)
{
    mg_status st;
    uint8_t *bytes = NULL;
    size_t size;
    mg_metrics *m = NULL;
    MG_TRY(mg__file_read(&bytes, &size, path, MAX_BYTES));
    if (memchr(bytes, 0, size))
        MG_FAIL(MG_ERR_FORMAT, "%s: holds a zero byte, expected a table in text", path);
    reader r = {path, (char *)bytes, 0};
    m = calloc(1, sizeof *m);
    const int capacity = count_lines(r.next);
    if (!m || !(m->names = calloc(MAX_COLUMNS, sizeof *m->names)))
        MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", path);
    MG_TRY(read_header(m, &r));
    assert(m->columns > 0 && capacity > 0);
    if (!(m->values = calloc((size_t)m->columns * (size_t)capacity, sizeof *m->values)))
        MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", path);
    for (char *line; (line = next_line(&r)); m->rows++)
        MG_TRY(read_row(m, &r, line, m->rows, capacity));
    if (!m->rows) MG_FAIL(MG_ERR_FORMAT, "%s: no epoch yet", path);
    for (int c = 1; c < m->columns; c++)
        memmove(m->values + (size_t)c * (size_t)m->rows, m->values + (size_t)c * (size_t)capacity,
                (size_t)m->rows * sizeof *m->values);
    memcpy(m->monitor, "val_accuracy", sizeof "val_accuracy");
    *out = m;
    m = NULL;
out:
    free(bytes);
    mg__metrics_free(m);
    return st;
}

void mg__metrics_free(mg_metrics *m)
{
    if (!m) return;
    for (int c = 0; c < m->columns; c++) free(m->names[c]);
    free(m->names);
    free(m->values);
    free(m);
}

const double *mg__metrics_column(const mg_metrics *m, const char *name)
{
    const int c = find_column(m, name);
    return c < 0 ? NULL : m->values + (size_t)c * (size_t)m->rows;
}

int mg__metrics_best(const mg_metrics *m)
{
    const double *figure = mg__metrics_column(m, m->monitor);
    const double sign = strstr(m->monitor, "loss") ? -1 : 1;
    int best = -1;
    for (int i = 0; figure && i < m->rows; i++)
        if (!isnan(figure[i]) && (best < 0 || sign * figure[i] > sign * figure[best])) best = i;
    return best;
}
