/* input: gather, augment in a training pass that is to, and normalise. There are 256 pixel values,
 * so normalising is looking one up; the table is computed in double and every pixel comes out
 * correctly rounded. op->impl is the table.
 */
#include "cuda/cuda_backend.h"

static mg_status prepare(mg_op *op)
{
    mg_status st;
    const struct mg_input_args *a = &op->layer->args.input;
    float h_table[256];
    for (int i = 0; i < 256; i++) h_table[i] = (float)((i / 255.0 - a->mean) / a->std);
    MG_TRY(mg__cuda_alloc(op->backend, &op->impl, sizeof h_table));
    MG_TRY(mg__cuda_upload(op->backend, op->impl, h_table, sizeof h_table));
out:
    return st;
}

static mg_status forward(mg_op *op)
{
    mg_status st = MG_OK;
    const mg_shape s = op->layer->out;
    cudaStream_t stream = mg__cuda(op->backend)->stream;
    if (mg__op_augments(op))
        MG_CUDA(mg__launch_gather_augmented(op->y, op->impl, op->feed, op->batch, s.c, s.h, s.w,
                                            stream));
    else
        MG_CUDA(mg__launch_gather(op->y, op->impl, op->feed, op->batch, mg_shape_size(s), stream));
out:
    return st;
}

static void release(mg_op *op)
{
    mg__cuda_release(op->backend, op->impl);
    op->impl = NULL;
}

const mg_layer_ops mg_cuda_input = {.prepare = prepare, .forward = forward, .release = release};
