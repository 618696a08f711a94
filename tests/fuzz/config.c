/* config.json of a run directory. */
#include "fuzz.h"
#include "io/run.h"
#include "io/run_files.h"
#include "train/schedule.h"
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {MG_RUN_CONFIG};
    mg_run_config config = {0};
    const char *folder = fuzz_folder(names, MG_COUNT_OF(names));
    fuzz_file(0, data, size);
    mg_status st = mg__run_load_config(&config, folder);
    if (st) {
        fuzz_check_refusal(st);
        return 0;
    }
    FUZZ_CHECK(config.options.epochs >= 1 && config.options.batch >= 1 && config.outputs.keep >= 0);
    FUZZ_CHECK(config.val_split >= 0 && config.val_split < 1 && isfinite(config.options.lr));
    if ((st = mg__check_options(&config.options)) != MG_OK) fuzz_check_refusal(st);
    mg__run_config_free(&config);
    return 0;
}
