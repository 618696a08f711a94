#include "draw/curves.h"
#include "io/file.h"
#include "io/run.h"
#include "io/run_files.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const mg_color colors[MG_CHART_RUNS] = {MG_BLUE,   MG_VERMILLION, MG_GREEN, MG_PURPLE,
                                               MG_ORANGE, MG_SKY,        MG_BLACK};

/* ---- names ---- */

/* The last component, "lenet5" of "runs/lenet5/". */
static void name_of(char *out, size_t size, const char *dir)
{
    size_t end = strlen(dir);
    while (end > 1 && dir[end - 1] == '/') end--;
    size_t start = end;
    while (start > 0 && dir[start - 1] != '/') start--;
    snprintf(out, size, "%.*s", (int)(end - start), dir + start);
}

/* The run's name, or all of its path where another bears the same. */
static const char *legend_name(char out[96], char *const *runs, int count, int index)
{
    char other[96];
    name_of(out, 96, runs[index]);
    for (int i = 0; i < count; i++) {
        name_of(other, sizeof other, runs[i]);
        if (i != index && !strcmp(other, out)) {
            snprintf(out, 96, "%s", runs[index]);
            break;
        }
    }
    return out;
}

static void set_label(mg_panel *p, const char *metric)
{
    static const struct {
        const char *metric, *label;
        double scale;
    } known[] = {{"loss", "Loss", 1},
                 {"val_loss", "Validation loss", 1},
                 {"accuracy", "Accuracy (%)", 100},
                 {"val_accuracy", "Validation accuracy (%)", 100},
                 {"lr", "Learning rate", 1},
                 {"seconds", "Time of an epoch (s)", 1},
                 {"images_per_sec", "Images per second", 1}};
    snprintf(p->label, sizeof p->label, "%s", metric);
    p->scale = 1;
    for (int i = 0; i < MG_COUNT_OF(known); i++) {
        if (strcmp(known[i].metric, metric)) continue;
        snprintf(p->label, sizeof p->label, "%s", known[i].label);
        p->scale = known[i].scale;
    }
}

/* ---- panels ---- */

static mg_status no_column(const mg_metrics *m, const char *dir, const char *metric)
{
    char known[200];
    size_t used = 0;
    for (int c = 1; c < m->columns && used < sizeof known; c++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", c > 1 ? ", " : "",
                                 m->names[c]);
    char shown[MG_SHOWN_SIZE], shown_known[MG_SHOWN_SIZE];
    return mg__fail(MG_ERR_NOT_FOUND, "%s/%s: no column \"%s\" (there are: %s)", dir, MG_RUN_CSV,
                    mg__shown(shown, metric), mg__shown(shown_known, known));
}

static bool has_values(const double *column, int rows)
{
    for (int i = 0; column && i < rows; i++)
        if (!isnan(column[i])) return true;
    return false;
}

static void add_curve(mg_panel *p, const mg_metrics *m, const double *y, mg_color color,
                      bool dashed)
{
    p->curves[p->curve_count++] = (mg_curve){
        .x = m->values, .y = y, .count = m->rows, .color = color, .dashed = dashed, .best = -1};
}

/* The curves of run `index` in a panel. One run alone has a colour for each of its two curves. */
static mg_status add_run(mg_panel *p, const mg_metrics *m, const char *dir, const char *metric,
                         int index, bool alone)
{
    char *val_name = mg__format("val_%s", metric);
    if (!val_name) return mg__fail(MG_ERR_MEMORY, "out of memory for the curves");
    const double *y = mg__metrics_column(m, metric), *val_y = mg__metrics_column(m, val_name);
    free(val_name);
    if (!y) return no_column(m, dir, metric);
    add_curve(p, m, y, colors[index], false);
    if (has_values(val_y, m->rows)) add_curve(p, m, val_y, colors[alone ? 1 : index], true);
    p->curves[p->curve_count - 1].best = mg__metrics_best(m);
    return MG_OK;
}

/* ---- legend ---- */

static void add_legend(mg_chart *chart, const char *text, mg_color color, mg_sample sample)
{
    mg_legend *e = &chart->legend[chart->legend_count++];
    e->color = color;
    e->sample = sample;
    snprintf(e->text, sizeof e->text, "%s", text);
}

/* "best: epoch 5, 98.93 %", or "best: epoch 5, 0.0421" of a loss */
static const char *best_text(char out[64], const mg_metrics *m)
{
    const int best = mg__metrics_best(m);
    const bool loss = strstr(m->monitor, "loss");
    const double figure = mg__metrics_column(m, m->monitor)[best];
    snprintf(out, 64, loss ? "best: epoch %.0f, %.4f" : "best: epoch %.0f, %.2f %%",
             m->values[best], loss ? figure : 100 * figure);
    return out;
}

static void make_legend(mg_curves *c, char *const *runs, int count)
{
    mg_chart *chart = &c->chart;
    const bool alone = count == 1;
    const mg_color grey = 0x555555;
    char text[64];
    bool val = false, best = false;
    for (int i = 0; i < count; i++) best = best || mg__metrics_best(c->metrics[i]) >= 0;
    for (int j = 0; j < chart->panels[0].curve_count; j++)
        val = val || chart->panels[0].curves[j].dashed;
    for (int i = 0; i < count && !alone; i++) {
        char name[96];
        add_legend(chart, legend_name(name, runs, count, i), colors[i], MG_SAMPLE_LINE);
    }
    chart->legend[chart->legend_count].new_row = true;
    if (alone || val) add_legend(chart, "training", alone ? colors[0] : grey, MG_SAMPLE_LINE);
    if (val) add_legend(chart, "validation", alone ? colors[1] : grey, MG_SAMPLE_DASHES);
    if (best)
        add_legend(chart, alone ? best_text(text, c->metrics[0]) : "best epoch",
                   alone ? colors[val] : grey, MG_SAMPLE_DISC);
}

/* ---- the chart ---- */

static mg_status load_metrics(mg_metrics **out, const char *dir)
{
    char *path = NULL;
    mg_status st = mg__run_file(&path, dir, MG_RUN_CSV);
    if (!st) st = mg__metrics_load(out, path);
    free(path);
    if (st) return st;
    mg_run_config config;
    st = mg__run_load_config(&config, dir);
    if (st == MG_OK) {
        snprintf((*out)->monitor, sizeof(*out)->monitor, "%s", config.options.monitor);
        mg__run_config_free(&config);
    }
    /* metrics.csv alone is enough to draw, also beside another program's config.json. */
    return st == MG_ERR_NOT_FOUND || st == MG_ERR_FORMAT ? MG_OK : st;
}

static mg_status add_panel(mg_curves *c, char *const *runs, int count, const char *metric)
{
    mg_panel *p = &c->chart.panels[c->chart.panel_count++];
    set_label(p, metric);
    for (int i = 0; i < count; i++) {
        const mg_status st = add_run(p, c->metrics[i], runs[i], metric, i, count == 1);
        if (st) return st;
    }
    return MG_OK;
}

mg_status mg__curves_load(mg_curves *out, char *const *runs, int count, const char *metric,
                          const char *title)
{
    mg_status st;
    mg_curves c = {0};
    for (int i = 0; i < count; i++) MG_TRY(load_metrics(&c.metrics[i], runs[i]));
    MG_TRY(add_panel(&c, runs, count, metric ? metric : "loss"));
    if (!metric) MG_TRY(add_panel(&c, runs, count, "accuracy"));
    make_legend(&c, runs, count);
    if (title)
        snprintf(c.chart.title, sizeof c.chart.title, "%s", title);
    else if (count == 1)
        name_of(c.chart.title, sizeof c.chart.title, runs[0]);
    else
        snprintf(c.chart.title, sizeof c.chart.title, "Training of %d networks", count);
    *out = c;
    return MG_OK;
out:
    mg__curves_free(&c);
    return st;
}

void mg__curves_free(mg_curves *c)
{
    for (int i = 0; i < MG_CHART_RUNS; i++) mg__metrics_free(c->metrics[i]);
}

mg_status mg__curves_save_run(const char *dir)
{
    static const char *const names[] = {"curves.svg", "curves.png"};
    mg_status st;
    mg_curves curves = {0};
    char *path = NULL;
    MG_TRY(mg__curves_load(&curves, (char *const[]){(char *)dir}, 1, NULL, NULL));
    for (int i = 0; i < MG_COUNT_OF(names); i++) {
        if (mg__canvas_check_path(names[i], MG_CONTENT_DRAWING)) continue;
        free(path);
        path = NULL;
        MG_TRY(mg__run_file(&path, dir, names[i]));
        MG_TRY(mg__chart_save(&curves.chart, path));
    }
out:
    free(path);
    mg__curves_free(&curves);
    return st;
}
