/* The history of a training's epochs in its state: as many as the first byte says. */
#include "fuzz.h"
#include "io/history.h"

static mg_status read_history(mg_train_state *state, const char *text, uint32_t epochs)
{
    *state = (mg_train_state){.epoch = epochs};
    return mg__history_read(state, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mg_train_state state, again;
    if (size == 0) return 0;
    char *text = strndup((const char *)data + 1, size - 1);
    const mg_status st = read_history(&state, text, data[0]);
    if (st) {
        fuzz_check_refusal(st);
    } else { /* what is written back is what was read */
        char *first = mg__history_text(&state);
        FUZZ_CHECK(first && read_history(&again, first, data[0]) == MG_OK);
        char *second = mg__history_text(&again);
        FUZZ_CHECK(second && strcmp(first, second) == 0);
        free(first);
        free(second);
        free(again.history);
    }
    free(state.history);
    free(text);
    return 0;
}
