/* --device, --threads and --kernels: on what a command computes, and by which kernels. */
#ifndef CLI_DEVICE_H
#define CLI_DEVICE_H

#include "mnist_gpu/device.h"

/* Rows of a table of options; `of` goes before their help: "of the plan: ", or "". */
#define CLI_OPT_DEVICE(t, of)  CLI_OPT_TEXT("device", "DEVICE", (t), of "auto, cuda[:N], cpu or ref")
#define CLI_OPT_THREADS(t, of) CLI_OPT_INT("threads", "N", (t), 0, 4096, of "CPU threads, 0 = all")
#define CLI_OPT_KERNELS(t, of)                                                                     \
    CLI_OPT_CHOICE("kernels", mg_kernels_names, (t),                                               \
                   of "fused: groups of layers in one go; cudnn: layer by layer, on a GPU by "     \
                      "cuDNN and cuBLAS; auto: fused where the device can")

/* kernels: one of mg_kernels_names. *out: mg_backend_close. */
mg_status cli_open_device(mg_backend **out, const char *device, int threads, const char *kernels);

#endif
