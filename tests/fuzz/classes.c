/* classes.txt. */
#include "fuzz.h"
#include "class_names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"classes.txt"};
    static mg_model *model;
    class_names found;
    char number[12];
    if (!model)
        FUZZ_CHECK(mg_model_parse(&model, "input 1x1x1\ndense out=3\nmse\n", "three") == MG_OK);
    cli_network network = {.model = model, .run = (char *)(uintptr_t)fuzz_folder(names, 1)};
    fuzz_file(0, data, size);
    const mg_status st = class_names_load(&found, &network);
    if (st) {
        fuzz_check_refusal(st);
        return 0;
    }
    for (int i = 0; i < mg_model_classes(model);
         i++) /* they are printed: nothing steers a terminal */
        for (const char *c = class_name(number, &found, i); *c; c++)
            FUZZ_CHECK((uint8_t)*c >= ' ' && *c != 127);
    class_names_are_characters(&found);
    class_names_free(&found);
    return 0;
}
