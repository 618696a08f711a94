/* dense: cuBLAS, which sees matrices by columns. A row-major [rows][columns] is, read by columns,
 * its transpose with leading dimension `columns`; so each product below is written transposed:
 *
 *     y  [n][out] = x w^T      as    y^T  = w x^T        (out x n)
 *     dx [n][in]  = dy w       as    dx^T = w^T dy^T     (in x n)
 *     dw [out][in] = dy^T x    as    dw^T = x^T dy       (in x out) */
#include "cuda/cuda_backend.h"

static const float one = 1.0f, zero = 0.0f;

typedef struct sizes {
    int n, in, out;
} sizes;

static sizes sizes_of(const mg_op *op)
{
    return (sizes){op->batch, (int)mg_shape_size(op->layer->in), op->layer->out.c};
}

static mg_status prepare(mg_op *op)
{
    mg_status st;
    mg_cuda *cu = mg__cuda(op->backend);
    const sizes s = sizes_of(op);
    const int parts = mg__bias_gradient_parts(s.n, 1);
    MG_TRY(mg__cuda_need_cublas(cu));
    MG_TRY(mg__cuda_workspace(cu, (size_t)parts * (size_t)s.out * sizeof(float)));
out:
    return st;
}

static mg_status forward(mg_op *op)
{
    mg_status st = MG_OK;
    const mg_cuda *cu = mg__cuda(op->backend);
    const sizes s = sizes_of(op);
    MG_CUBLAS(cublasSgemm(cu->cublas, CUBLAS_OP_T, CUBLAS_OP_N, s.out, s.n, s.in, &one, op->w, s.in,
                          op->x, s.in, &zero, op->y, s.out));
    MG_CUDA(mg__launch_bias_add(op->y, op->b, s.n, s.out, 1, cu->stream));
out:
    return st;
}

static mg_status backward(mg_op *op)
{
    mg_status st = MG_OK;
    const mg_cuda *cu = mg__cuda(op->backend);
    const sizes s = sizes_of(op);
    MG_CUBLAS(cublasSgemm(cu->cublas, CUBLAS_OP_N, CUBLAS_OP_T, s.in, s.out, s.n, &one, op->x, s.in,
                          op->dy, s.out, &zero, op->dw, s.in));
    MG_CUDA(mg__launch_bias_gradient(op->db, op->dy, cu->workspace, s.n, s.out, 1, cu->stream));
    if (op->dx)
        MG_CUBLAS(cublasSgemm(cu->cublas, CUBLAS_OP_N, CUBLAS_OP_N, s.in, s.n, s.out, &one, op->w,
                              s.in, op->dy, s.out, &zero, op->dx, s.in));
out:
    return st;
}

const mg_layer_ops mg_cuda_dense = {.prepare = prepare, .forward = forward, .backward = backward};
