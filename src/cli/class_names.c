#include "class_names.h"
#include "io/file.h"
#include "mnist_gpu/train.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 1 << 16 };

/* A control character: of ASCII, or U+0080 to U+009F as UTF-8. Names are printed, and to a terminal
 * these are commands. */
static bool holds_control(const char *name)
{
    for (const uint8_t *c = (const uint8_t *)name; *c; c++)
        if (*c < ' ' || *c == 0x7f || (*c == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f)) return true;
    return false;
}

static mg_status split_lines(class_names *n, const char *path, int classes)
{
    n->names = calloc((size_t)classes, sizeof *n->names);
    if (!n->names) return mg__fail(MG_ERR_MEMORY, "out of memory for names of classes");
    char shown[MG_SHOWN_SIZE];
    int lines = 0;
    for (char *line = n->text; *line; lines++) {
        const size_t length = strcspn(line, "\r\n");
        char *next = line + length;
        next += strspn(next, "\r");
        next += *next == '\n';
        line[length] = 0;
        if (holds_control(line))
            return mg__fail(MG_ERR_FORMAT, "%s:%d: a control character in the name \"%s\"", path,
                            lines + 1, mg__shown(shown, line));
        if (lines < classes) n->names[lines] = line;
        line = next;
    }
    n->count = lines;
    return lines == classes
               ? MG_OK
               : mg__fail(MG_ERR_MISMATCH, "%s: %d names, expected one for each of %d classes",
                          path, lines, classes);
}

mg_status class_names_load(class_names *out, const cli_network *network)
{
    const char *folders[] = {network->run, network->config.data};
    mg_status st = MG_OK;
    *out = (class_names){0};
    for (int i = 0; i < MG_COUNT_OF(folders) && !out->count && !st; i++) {
        if (!folders[i]) continue;
        size_t size;
        char *path = mg__format("%s/classes.txt", folders[i]);
        if (!path) return mg__fail(MG_ERR_MEMORY, "out of memory");
        st = mg__file_read((uint8_t **)&out->text, &size, path, MAX_BYTES);
        if (!st) st = split_lines(out, path, mg_model_classes(network->model));
        if (st == MG_ERR_NOT_FOUND) st = MG_OK;
        free(path);
    }
    if (st) class_names_free(out);
    return st;
}

void class_names_free(class_names *n)
{
    free(n->text);
    free(n->names);
    *n = (class_names){0};
}

bool class_names_are_characters(const class_names *n)
{
    for (int i = 0; i < n->count; i++) {
        int characters = 0;
        for (const char *c = n->names[i]; *c; c++) characters += (*c & 0xc0) != 0x80; /* UTF-8 */
        if (characters != 1) return false;
    }
    return true;
}

const char *class_name(char number[12], const class_names *n, int class)
{
    if (n->count) return n->names[class];
    snprintf(number, 12, "%d", class);
    return number;
}
