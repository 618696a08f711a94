/* Stand-in for cuBLAS: SGEMM, by columns as in the original, with its checks of sizes and leading
 * dimensions. What would cost reproducibility or precision on a GPU ends the process: TF32, and a
 * capture without a workspace of the caller's. */
#include "arithmetic.h"
#include "standin.h"

#include <cublas_v2.h>

struct cublasContext {
    cudaStream_t stream;
    cublasPointerMode_t pointers;
    void *workspace;
    size_t workspace_bytes;
    bool used;
};

using namespace standin;

namespace
{
constexpr size_t most_scribbled = 64 << 10; /* of a workspace of megabytes, in every call */

/* One of the three matrices of a batched product. */
struct Matrix {
    const float *data;
    int ld;
    long long stride;
    bool transposed;
};

struct Product {
    int m, n, k, batch;
    Matrix a, b;
    float *c;
    int ldc;
    long long stride_c;
};

/* Of a matrix stored in `columns` columns, `count` times. */
size_t extent(int rows, int columns, int ld, long long stride, int count)
{
    if (rows == 0 || columns == 0 || count == 0) return 0;
    const size_t one =
        static_cast<size_t>(ld) * static_cast<size_t>(columns - 1) + static_cast<size_t>(rows);
    return (static_cast<size_t>(stride) * static_cast<size_t>(count - 1) + one) * sizeof(float);
}

/* [lines][k]: line i has the k elements that output row (or column) i is a sum over. */
std::vector<float> pack(const Matrix &x, const float *data, int lines, int k, bool lines_are_rows)
{
    const bool across = lines_are_rows != x.transposed; /* a line's elements are ld apart */
    const size_t ld = static_cast<size_t>(x.ld);
    std::vector<float> out;
    out.reserve(static_cast<size_t>(lines) * static_cast<size_t>(k));
    for (size_t i = 0; i < static_cast<size_t>(lines); i++)
        for (size_t p = 0; p < static_cast<size_t>(k); p++)
            out.push_back(across ? data[i + p * ld] : data[p + i * ld]);
    return out;
}

void multiply(const Product &z, float alpha, float beta)
{
    std::vector<float> result(static_cast<size_t>(z.m) * static_cast<size_t>(z.n));
    for (int i = 0; i < z.batch; i++) {
        const std::vector<float> a = pack(z.a, z.a.data + i * z.a.stride, z.m, z.k, true);
        const std::vector<float> b = pack(z.b, z.b.data + i * z.b.stride, z.n, z.k, false);
        /* c by columns is its transpose by rows */
        dot_products(result.data(), b.data(), a.data(), z.n, z.m, z.k);
        blend(z.c + i * z.stride_c, result, alpha, beta, static_cast<size_t>(z.m),
              static_cast<size_t>(z.ldc));
    }
}

cublasStatus_t check_shape(const char *call, const Product &z)
{
    const int rows_a = z.a.transposed ? z.k : z.m, rows_b = z.b.transposed ? z.n : z.k;
    auto bad_ld = [call](const char *name, int ld, int rows) {
        if (ld >= std::max(1, rows)) return false;
        complain("%s: ld%s = %d is less than %s's %d rows", call, name, ld, name, rows);
        return true;
    };
    if (z.m < 0 || z.n < 0 || z.k < 0 || z.batch < 0) {
        complain("%s: m = %d, n = %d, k = %d, batch = %d", call, z.m, z.n, z.k, z.batch);
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    if (bad_ld("a", z.a.ld, rows_a) || bad_ld("b", z.b.ld, rows_b) || bad_ld("c", z.ldc, z.m))
        return CUBLAS_STATUS_INVALID_VALUE;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t gemm(const char *call, cublasHandle_t h, const Product &z, const float *alpha,
                    const float *beta)
{
    if (!h) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (const cublasStatus_t status = check_shape(call, z)) return status;
    if (is_capturing(h->stream) && !h->workspace)
        die("%s: captured without cublasSetWorkspace (after cublasSetStream, which resets it)",
            call);
    const bool on_device = h->pointers == CUBLAS_POINTER_MODE_DEVICE;
    const int rows_a = z.a.transposed ? z.k : z.m, rows_b = z.b.transposed ? z.n : z.k;
    LibraryCall c = {call, h->stream, &h->used, {}, h->workspace, most_scribbled};
    c.workspace_bytes = std::min(h->workspace_bytes, c.workspace_bytes);
    c.operands = {
        {"A", z.a.data, extent(rows_a, z.m + z.k - rows_a, z.a.ld, z.a.stride, z.batch), false},
        {"B", z.b.data, extent(rows_b, z.n + z.k - rows_b, z.b.ld, z.b.stride, z.batch), false},
        {"C", z.c, extent(z.m, z.n, z.ldc, z.stride_c, z.batch), true},
        {"the workspace", h->workspace, h->workspace_bytes, true},
    };
    if (on_device) {
        c.operands.push_back({"alpha", alpha, sizeof *alpha, false});
        c.operands.push_back({"beta", beta, sizeof *beta, false});
    }
    /* Host scalars are read at the call, also in a capture. */
    const float h_alpha = on_device ? 0 : *alpha, h_beta = on_device ? 0 : *beta;
    const cudaError_t e = enqueue_call(
        c, [=] { multiply(z, on_device ? *alpha : h_alpha, on_device ? *beta : h_beta); });
    return e == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
} // namespace

extern "C" {

cublasStatus_t cublasCreate_v2(cublasHandle_t *handle)
{
    if (const cublasStatus_t e = planned(CUBLAS_STATUS_EXECUTION_FAILED)) return e;
    if (forbid_in_capture("cublasCreate")) return CUBLAS_STATUS_ALLOC_FAILED;
    *handle = new cublasContext{nullptr, CUBLAS_POINTER_MODE_HOST, nullptr, 0, false};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle)
{
    drain_all();
    delete handle;
    return planned(CUBLAS_STATUS_EXECUTION_FAILED);
}

cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream)
{
    if (const cublasStatus_t e = planned(CUBLAS_STATUS_EXECUTION_FAILED)) return e;
    handle->stream = stream;
    handle->workspace = nullptr;
    handle->workspace_bytes = 0;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void *workspace, size_t bytes)
{
    if (const cublasStatus_t e = planned(CUBLAS_STATUS_EXECUTION_FAILED)) return e;
    if (!is_device(workspace, bytes) || reinterpret_cast<uintptr_t>(workspace) % 256) {
        complain("cublasSetWorkspace: %zu bytes at %p are no 256-byte aligned device memory", bytes,
                 workspace);
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    handle->workspace = workspace;
    handle->workspace_bytes = bytes;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t mode)
{
    if (const cublasStatus_t e = planned(CUBLAS_STATUS_EXECUTION_FAILED)) return e;
    if (mode != CUBLAS_DEFAULT_MATH && mode != CUBLAS_PEDANTIC_MATH)
        die("cublasSetMathMode: mode %d computes in less than fp32", static_cast<int>(mode));
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetPointerMode_v2(cublasHandle_t handle, cublasPointerMode_t mode)
{
    if (const cublasStatus_t e = planned(CUBLAS_STATUS_EXECUTION_FAILED)) return e;
    handle->pointers = mode;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t transa,
                                         cublasOperation_t transb, int m, int n, int k,
                                         const float *alpha, const float *A, int lda,
                                         long long strideA, const float *B, int ldb,
                                         long long strideB, const float *beta, float *C, int ldc,
                                         long long strideC, int count)
{
    if (const cublasStatus_t e = planned(CUBLAS_STATUS_EXECUTION_FAILED)) return e;
    const Product z = {m,
                       n,
                       k,
                       count,
                       {A, lda, strideA, transa != CUBLAS_OP_N},
                       {B, ldb, strideB, transb != CUBLAS_OP_N},
                       C,
                       ldc,
                       strideC};
    return gemm("cublasSgemmStridedBatched", handle, z, alpha, beta);
}

cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t transa,
                              cublasOperation_t transb, int m, int n, int k, const float *alpha,
                              const float *A, int lda, const float *B, int ldb, const float *beta,
                              float *C, int ldc)
{
    if (const cublasStatus_t e = planned(CUBLAS_STATUS_EXECUTION_FAILED)) return e;
    const Product z = {
        m, n,   k, 1, {A, lda, 0, transa != CUBLAS_OP_N}, {B, ldb, 0, transb != CUBLAS_OP_N},
        C, ldc, 0};
    return gemm("cublasSgemm", handle, z, alpha, beta);
}

cublasStatus_t cublasGetVersion_v2(cublasHandle_t, int *version)
{
    if (const cublasStatus_t e = planned(CUBLAS_STATUS_EXECUTION_FAILED)) return e;
    *version = CUBLAS_VERSION;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetProperty(libraryPropertyType type, int *value)
{
    if (const cublasStatus_t e = planned(CUBLAS_STATUS_EXECUTION_FAILED)) return e;
    *value = type == MAJOR_VERSION   ? CUBLAS_VER_MAJOR
             : type == MINOR_VERSION ? CUBLAS_VER_MINOR
                                     : CUBLAS_VER_PATCH;
    return CUBLAS_STATUS_SUCCESS;
}

const char *cublasGetStatusName(cublasStatus_t status)
{
    switch (status) {
    case CUBLAS_STATUS_SUCCESS:
        return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
        return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
        return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
        return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
        return "CUBLAS_STATUS_EXECUTION_FAILED";
    default:
        return "CUBLAS_STATUS_(other)";
    }
}

const char *cublasGetStatusString(cublasStatus_t status) { return cublasGetStatusName(status); }
}
