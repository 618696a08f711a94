/* maxpool, avgpool: cuDNN, in deterministic modes; a NaN passes through, so that the loss shows it.
 */
#include "cuda/cuda_backend.h"
#include <stdlib.h>

static const float one = 1.0f, zero = 0.0f;

typedef struct pool {
    cudnnTensorDescriptor_t x, y;
    cudnnPoolingDescriptor_t window;
} pool;

static void release(mg_op *op)
{
    pool *p = op->impl;
    if (!p) return;
    if (p->x) mg__cudnn.cudnnDestroyTensorDescriptor(p->x);
    if (p->y) mg__cudnn.cudnnDestroyTensorDescriptor(p->y);
    if (p->window) mg__cudnn.cudnnDestroyPoolingDescriptor(p->window);
    free(p);
    op->impl = NULL;
}

static mg_status prepare(mg_op *op)
{
    mg_status st;
    const struct mg_pool_args *a = &op->layer->args.pool;
    const cudnnPoolingMode_t mode = op->layer->kind == MG_LAYER_AVGPOOL
                                        ? CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING
                                        : CUDNN_POOLING_MAX_DETERMINISTIC;
    pool *p = op->impl = calloc(1, sizeof *p);
    if (!p) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    MG_TRY(mg__cuda_need_cudnn(mg__cuda(op->backend)));
    MG_TRY(mg__cuda_tensor(&p->x, op->batch, op->layer->in));
    MG_TRY(mg__cuda_tensor(&p->y, op->batch, op->layer->out));
    MG_CUDNN(cudnnCreatePoolingDescriptor(&p->window));
    MG_CUDNN(cudnnSetPooling2dDescriptor(p->window, mode, CUDNN_PROPAGATE_NAN, a->size, a->size, 0,
                                         0, a->stride, a->stride));
out:
    if (st) release(op);
    return st;
}

static mg_status forward(mg_op *op)
{
    mg_status st = MG_OK;
    const pool *p = op->impl;
    MG_CUDNN(cudnnPoolingForward(mg__cuda(op->backend)->cudnn, p->window, &one, p->x, op->x, &zero,
                                 p->y, op->y));
out:
    return st;
}

static mg_status backward(mg_op *op)
{
    mg_status st = MG_OK;
    const pool *p = op->impl;
    if (!op->dx) return MG_OK;
    MG_CUDNN(cudnnPoolingBackward(mg__cuda(op->backend)->cudnn, p->window, &one, p->y, op->y, p->y,
                                  op->dy, p->x, op->x, &zero, p->x, op->dx));
out:
    return st;
}

const mg_layer_ops mg_cuda_maxpool = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = release};
const mg_layer_ops mg_cuda_avgpool = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = release};
