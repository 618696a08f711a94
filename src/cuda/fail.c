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

mg_status mg__fail(mg_status code, const char *fmt, ...)
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

/* A failed call also stays the runtime's "last error", where the next kernel launch would find it
 * and take it for its own: it is cleared. */
mg_status mg__cuda_failed(cudaError_t error, const char *call, const char *file, int line)
{
    (void)cudaGetLastError();
    return mg__fail(error == cudaErrorMemoryAllocation ? MG_ERR_MEMORY : MG_ERR_DEVICE,
                    "%s:%d: %s: %s, %s", file_name(file), line, call, cudaGetErrorName(error),
                    cudaGetErrorString(error));
}

mg_status mg__cublas_failed(cublasStatus_t error, const char *call, const char *file, int line)
{
    (void)cudaGetLastError();
    return mg__fail(error == CUBLAS_STATUS_ALLOC_FAILED ? MG_ERR_MEMORY : MG_ERR_DEVICE,
                    "%s:%d: %s: %s", file_name(file), line, call, cublasGetStatusName(error));
}

mg_status mg__cudnn_failed(cudnnStatus_t error, const char *call, const char *file, int line)
{
    char detail[256] = "";
    cudnnGetLastErrorString(detail, sizeof detail);
    detail[strcspn(detail, "\n")] = 0;
    (void)cudaGetLastError();
    return mg__fail(error == CUDNN_STATUS_ALLOC_FAILED ? MG_ERR_MEMORY : MG_ERR_DEVICE,
                    "%s:%d: %s: %s%s%s", file_name(file), line, call, cudnnGetErrorString(error),
                    detail[0] ? ", " : "", detail);
}
