/* mg__fail and mg__vfail inside the module: the message goes to the program, which keeps it. */
#include "cuda/cuda_backend.h"
#include <stdio.h>
#include <string.h>

static mg_vfail_fn *report;

void mg__cuda_report_to(mg_vfail_fn *vfail) { report = vfail; }

mg_status mg__vfail(mg_status code, const char *fmt, va_list args)
{
    return report(code, fmt, args);
}

mg_status mg__set_failure(mg_status code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    mg__vfail(code, fmt, args);
    va_end(args);
    return code;
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *mg__cuda_free_memory(char text[MG_FREE_MEMORY_SIZE])
{
    size_t available, total;
    if (cudaMemGetInfo(&available, &total) == cudaSuccess)
        snprintf(text, MG_FREE_MEMORY_SIZE, "%zu free of %zu", available, total);
    else
        snprintf(text, MG_FREE_MEMORY_SIZE, "how many are free is not known");
    (void)cudaGetLastError();
    return text;
}

/* Where memory ran out, the message ends with how much of the GPU's there is. A failed call also
 * stays the runtime's "last error", where the next kernel launch would find it and take it for its
 * own: it is cleared. */
static mg_status failed(bool out_of_memory, const char *file, int line, const char *call,
                        const char *why, const char *detail)
{
    char available[MG_FREE_MEMORY_SIZE];
    const char *comma = detail[0] ? ", " : "";
    (void)cudaGetLastError();
    if (!out_of_memory)
        return mg__fail(MG_ERR_DEVICE, "%s:%d: %s: %s%s%s", file_name(file), line, call, why, comma,
                        detail);
    return mg__fail(MG_ERR_MEMORY, "%s:%d: %s: %s%s%s; bytes of GPU memory: %s", file_name(file),
                    line, call, why, comma, detail, mg__cuda_free_memory(available));
}

mg_status mg__cuda_failed(cudaError_t error, const char *call, const char *file, int line)
{
    return failed(error == cudaErrorMemoryAllocation, file, line, call, cudaGetErrorName(error),
                  cudaGetErrorString(error));
}

mg_status mg__cublas_failed(cublasStatus_t error, const char *call, const char *file, int line)
{
    return failed(error == CUBLAS_STATUS_ALLOC_FAILED, file, line, call,
                  mg__cublas.cublasGetStatusName(error), "");
}

mg_status mg__cudnn_failed(cudnnStatus_t error, const char *call, const char *file, int line)
{
    const bool out_of_memory = error == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
                               error == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
    char detail[256] = "";
    mg__cudnn.cudnnGetLastErrorString(detail, sizeof detail);
    detail[strcspn(detail, "\n")] = 0;
    return failed(out_of_memory, file, line, call, mg__cudnn.cudnnGetErrorString(error), detail);
}
