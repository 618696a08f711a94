/* plot: config.json and metrics.csv of a run, to a chart in characters and as a file. */
#include "fuzz.h"
#include "draw/curves.h"
#include "io/run_files.h"
#include "term_picture.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    return fuzz_mutate_parts(data, size, max_size, seed, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {MG_RUN_CONFIG, MG_RUN_CSV};
    static char folder[] = "folder";
    static uint32_t calls;
    fuzz_part parts[2];
    mg_curves curves = {0};
    fuzz_folder(names, MG_COUNT_OF(names));
    if (!calls++) FUZZ_CHECK(freopen("/dev/null", "w", stdout));
    fuzz_split(parts, data, size);
    for (int i = 0; i < MG_COUNT_OF(parts); i++) fuzz_file(i, parts[i].bytes, parts[i].size);
    mg_status st = mg__curves_load(&curves, (char *[]){folder, folder}, 1 + (int)(size % 2), NULL,
                                   size % 3 ? NULL : "title");
    if (st) {
        fuzz_check_refusal(st);
        return 0;
    }
    const mg_metrics *m = curves.metrics[0];
    FUZZ_CHECK(m->rows >= 1 && mg__metrics_best(m) < m->rows);
    for (int c = 0; c < m->columns; c++)
        fuzz_touch(mg__metrics_column(m, m->names[c]), (size_t)m->rows * sizeof(double));
    term_chart(&curves.chart);
    st = mg__chart_save(&curves.chart, "folder/curves.svg");
    if (st) fuzz_check_refusal(st);
    mg__curves_free(&curves);
    return 0;
}
