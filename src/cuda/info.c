/* What there is: driver, libraries, GPUs. */
#include "cuda/cuda_backend.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int driver_version(void)
{
    int version = 0;
    if (cudaDriverGetVersion(&version) != cudaSuccess) version = 0;
    return version; /* 0: none; else 1000 major + 10 minor of the newest CUDA that it runs */
}

/* Any failure means that no GPU can be used. Without a driver the runtime reports one that is too
 * old, so that case is told apart here. */
int mg__cuda_device_count(char *reason, size_t size)
{
    int count = 0;
    const int driver = driver_version();
    const cudaError_t error = cudaGetDeviceCount(&count);
    (void)cudaGetLastError();
    if (error == cudaSuccess && count > 0) {
        snprintf(reason, size, "%s", "");
        return count;
    }
    if (driver == 0)
        snprintf(reason, size, "no NVIDIA driver found (cudaGetDeviceCount: %s)",
                 cudaGetErrorName(error));
    else if (error == cudaErrorInsufficientDriver)
        snprintf(reason, size,
                 "the NVIDIA driver is too old: it runs CUDA up to %d.%d, this program needs %d.%d",
                 driver / 1000, driver % 1000 / 10, CUDART_VERSION / 1000,
                 CUDART_VERSION % 1000 / 10);
    else if (error == cudaSuccess || error == cudaErrorNoDevice)
        snprintf(reason, size, "no NVIDIA GPU found");
    else
        snprintf(reason, size, "no usable NVIDIA GPU (cudaGetDeviceCount: %s, %s)",
                 cudaGetErrorName(error), cudaGetErrorString(error));
    return 0;
}

mg_status mg__cuda_describe(char *text, size_t size, int device)
{
    mg_status st = MG_OK;
    struct cudaDeviceProp p;
    MG_CUDA(cudaGetDeviceProperties(&p, device));
    snprintf(text, size, "%.80s (%d SMs, %.1f GiB, compute capability %d.%d)", p.name,
             p.multiProcessorCount, (double)p.totalGlobalMem / (1 << 30), p.major, p.minor);
out:
    return st;
}

/* f32 lanes of a multiprocessor (CUDA C++ Programming Guide, "Arithmetic Instructions"). */
static int lanes(const struct cudaDeviceProp *p)
{
    return p->major < 8 || (p->major == 8 && p->minor == 0) ? 64 : 128;
}

mg_status mg__cuda_peak(mg_backend *be, double *out)
{
    mg_status st = MG_OK;
    const int device = mg__cuda(be)->device;
    struct cudaDeviceProp p;
    int kilohertz = 0;
    MG_CUDA(cudaGetDeviceProperties(&p, device));
    MG_CUDA(cudaDeviceGetAttribute(&kilohertz, cudaDevAttrClockRate, device));
    *out = 2.0 * lanes(&p) * p.multiProcessorCount * 1e3 * kilohertz;
out:
    return st;
}

/* Adds to the text, as far as there is room. */
MG_PRINTF(3, 4) static void append(char *text, size_t size, const char *fmt, ...)
{
    va_list args;
    const size_t used = strlen(text);
    va_start(args, fmt);
    vsnprintf(text + used, size - used, fmt, args);
    va_end(args);
}

static void append_versions(char *text, size_t size)
{
    int runtime = 0;
    const int driver = driver_version();
    cudaRuntimeGetVersion(&runtime);
    append(text, size, "CUDA runtime: %d.%d (built with %d.%d)\n", runtime / 1000,
           runtime % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
    if (driver)
        append(text, size, "NVIDIA driver: runs CUDA up to %d.%d\n", driver / 1000,
               driver % 1000 / 10);
    else
        append(text, size, "NVIDIA driver: none\n");
}

/* The libraries are loaded, to ask them. */
static void append_cudnn(char *text, size_t size)
{
    char found[300], built[32];
    mg__cuda_cudnn_version(built, sizeof built, CUDNN_VERSION);
    if (mg__cuda_load_cudnn(found, sizeof found))
        mg__cuda_cudnn_version(found, sizeof found, mg__cudnn.cudnnGetVersion());
    append(text, size, "cuDNN: %s (built with %s)\n", found, built);
}

static void append_cublas(char *text, size_t size)
{
    char found[300];
    int major = 0, minor = 0, patch = 0;
    if (mg__cuda_load_cublas(found, sizeof found)) {
        mg__cublas.cublasGetProperty(MAJOR_VERSION, &major);
        mg__cublas.cublasGetProperty(MINOR_VERSION, &minor);
        mg__cublas.cublasGetProperty(PATCH_LEVEL, &patch);
        snprintf(found, sizeof found, "%d.%d.%d", major, minor, patch);
    }
    append(text, size, "cuBLAS: %s (built with %d.%d.%d)\n", found, CUBLAS_VER_MAJOR,
           CUBLAS_VER_MINOR, CUBLAS_VER_PATCH);
}

void mg__cuda_info(char *text, size_t size, mg_vfail_fn *vfail)
{
    char line[200];
    mg__cuda_report_to(vfail);
    text[0] = 0;
    append_versions(text, size);
    append_cudnn(text, size);
    append_cublas(text, size);
    const int count = mg__cuda_device_count(line, sizeof line);
    if (count == 0) append(text, size, "GPU: %s\n", line);
    for (int i = 0; i < count; i++) {
        const bool known = mg__cuda_describe(line, sizeof line, i) == MG_OK;
        append(text, size, "GPU %d: %s\n", i, known ? line : "its properties cannot be read");
    }
}
