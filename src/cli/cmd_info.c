/* mnist_gpu info: what this program is and what it runs on. */
#define _POSIX_C_SOURCE 200809L /* sysconf */
#include "cli.h"
#include "options.h"
#include "term.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "x, y, z" of the entries that are there. */
struct feature {
    const char *name;
    bool there;
};
static void print_features(const char *title, const struct feature *features, int count)
{
    const char *separator = "";
    printf("%s", title);
    for (int i = 0; i < count; i++)
        if (features[i].there) {
            printf("%s%s", separator, features[i].name);
            separator = ", ";
        }
    printf("%s\n", *separator ? "" : "none");
}

static void print_build(void)
{
#ifdef MG_HAVE_CURL
    const bool curl = true;
#else
    const bool curl = false;
#endif
#ifdef MG_HAVE_CAIRO
    const bool cairo = true;
#else
    const bool cairo = false;
#endif
    const struct feature with[] = {{"libcurl (data download)", curl},
                                   {"cairo (curves and matrices as PNG)", cairo}};
    printf("mnist_gpu %s\n", MG_VERSION_STRING);
    printf("Compiler:     %s\n", __VERSION__);
    print_features("Optional:     ", with, MG_COUNT_OF(with));
}

/* The first "model name" line of /proc/cpuinfo, where the kernel writes one. */
static void print_cpu_name(void)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) || !colon) continue;
        printf("CPU:          %s", colon + 2);
        break;
    }
    if (f) fclose(f);
}

static void print_cpu(void)
{
    print_cpu_name();
#if defined(__x86_64__) || defined(__i386__)
    const struct feature features[] = {
        {"SSE4.2", __builtin_cpu_supports("sse4.2")},   {"AVX", __builtin_cpu_supports("avx")},
        {"AVX2", __builtin_cpu_supports("avx2")},       {"FMA", __builtin_cpu_supports("fma")},
        {"AVX-512", __builtin_cpu_supports("avx512f")},
    };
    print_features("CPU features: ", features, MG_COUNT_OF(features));
#elif defined(__aarch64__)
    printf("CPU features: NEON\n");
#endif
    printf("Cores:        %ld\n", sysconf(_SC_NPROCESSORS_ONLN));
}

static mg_status print_devices(void)
{
    mg_status st;
    mg_backend *backend = NULL;
    char *cuda = NULL;
    MG_TRY(mg_backend_cuda_info(&cuda));
    printf("%s", cuda);
    MG_TRY(mg_backend_open(&backend, "auto", 0));
    printf("Default:      %s\n", mg_backend_description(backend));
    if (*mg_backend_fallback_reason(backend))
        printf("No GPU:       %s\n", mg_backend_fallback_reason(backend));
out:
    mg_backend_close(backend);
    free(cuda);
    return st;
}

static void print_data(void)
{
    char *dir = NULL;
    if (mg_dataset_find(&dir, NULL) == MG_OK)
        term_print("Data:         %s\n", dir);
    else
        printf("Data:         not found; `mnist_gpu data download` fetches MNIST\n");
    free(dir);
}

mg_status cmd_info(int argc, char **argv)
{
    const cli_syntax syntax = {
        .command = "info",
        .arguments = "",
        .about = "Shows the version and what is built in, the CPU's features, the GPUs with the "
                 "versions of driver and libraries, and why a GPU is not used.",
    };
    mg_status st = cli_parse(&syntax, argc, argv, NULL);
    if (st) return st;
    print_build();
    print_cpu();
    st = print_devices();
    if (!st) print_data();
    return st;
}
