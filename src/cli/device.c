#include "device.h"

mg_status cli_open_device(mg_backend **out, const char *device, int threads, const char *kernels)
{
    const mg_status st = mg_backend_open(out, device, threads);
    return st ? st : mg_backend_set_kernels(*out, kernels);
}
