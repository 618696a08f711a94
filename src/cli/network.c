/* What several commands need: a trained network, pictures for it, and JSON. */
#include "cli.h"
#include "io/file.h"
#include "io/json.h"
#include "mnist_gpu/image.h"
#include "mnist_gpu/weights.h"
#include "term.h"
#include "text.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

mg_status cli_network_load(cli_network *out, const char *run_or_file, const char *model)
{
    mg_status st;
    cli_network n = {0};
    MG_TRY(mg__run_weights_path(&n.path, &n.run, run_or_file));
    st = n.run ? mg__run_load_config(&n.config, n.run) : MG_OK;
    if (st != MG_ERR_NOT_FOUND) MG_TRY(st); /* a directory with nothing but weights will do */
    if (model) MG_TRY(mg_model_load(&n.model, model));
    MG_TRY(mg_weights_load(&n.model, &n.params, n.path, n.model));
    *out = n;
    n = (cli_network){0};
out:
    cli_network_free(&n);
    return st;
}

void cli_network_free(cli_network *n)
{
    mg_model_free(n->model);
    mg__run_config_free(&n->config);
    free(n->params);
    free(n->path);
    free(n->run);
}

mg_status cli_read_picture(uint8_t *pixels, const mg_model *model, const char *path)
{
    mg_status st;
    mg_image *image = NULL;
    uint32_t c, h, w;
    mg_model_input_size(model, &c, &h, &w);
    MG_TRY(mg_image_load(&image, path));
    if ((st = mg_image_to_input(pixels, c, h, w, image, NULL)) != MG_OK)
        mg__fail_in(st, "%s", path);
out:
    mg_image_free(image);
    return st;
}

void cli_ink_on_paper(uint8_t *out, const mg_model *model, const uint8_t *pixels)
{
    uint32_t channels, height, width;
    mg_model_input_size(model, &channels, &height, &width);
    const size_t area = (size_t)height * width;
    for (size_t i = 0; i < area * channels; i++)
        out[i % area * channels + i / area] =
            channels == 1 ? (uint8_t)(255 - pixels[i]) : pixels[i];
}

json_t *cli_json_text(const char *text)
{
    json_t *string = json_string(text);
    char *plain = string ? NULL : mg__format("%s", text);
    if (plain) {
        mg__text_clean(plain, true);
        string = json_string(plain);
    }
    free(plain);
    return string;
}

json_t *cli_json_number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

mg_status cli_cuda_json(json_t **out, const mg_backend *backend)
{
    char *text = NULL;
    *out = NULL;
    if (strcmp(mg_backend_name(backend), "cuda")) return MG_OK;
    const mg_status st = mg_backend_cuda_info(&text);
    if (st) return st;
    *out = json_array();
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        json_array_append_new(*out, cli_json_text(line));
    }
    free(text);
    return MG_OK;
}

mg_status cli_print_json(json_t *root)
{
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(root);
    /* main() has begun to count. Text of which a part is missing is worse than none. */
    const mg_status st = mg__json_status(text ? MG_OK : MG_ERR_MEMORY, 0, "JSON");
    if (!st) {
        term_write(text);
        puts("");
    }
    free(text);
    return st;
}
