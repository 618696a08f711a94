/* dense out=K init=glorot bias=0: every output from every input, with bias; the input is read in
 * C-H-W order. init, bias: how the parameters start (model/init.c).
 *
 *     y[n][k]  = b[k] + sum_i w[k][i] x[n][i]
 *     dx[n][i] = sum_k w[k][i] dy[n][k]
 *     dw[k][i] = sum_n dy[n][k] x[n][i]
 *     db[k]    = sum_n dy[n][k] */
#include "layers/layer.h"

static const mg_arg args[] = {
    {.key = "out",
     .kind = MG_ARG_INT,
     .offset = offsetof(mg_layer_args, dense.out),
     .required = true,
     .min = 1,
     .max = 65536},
    MG_INIT_ARGS(dense),
};

static mg_status infer(mg_layer *l)
{
    const int in = (int)mg_shape_size(l->in), out = l->args.dense.out;
    l->out = (mg_shape){out, 1, 1};
    mg__layer_tensor(l, 0, "weight", 2, (int[]){out, in}, in, out);
    mg__layer_tensor(l, 1, "bias", 1, (int[]){out}, in, out);
    l->tensors[0].init = l->args.dense.init;
    l->tensors[1].init = l->args.dense.bias;
    return MG_OK;
}

static uint64_t flops(const mg_layer *l)
{
    return 2 * (uint64_t)mg_shape_size(l->in) * (uint64_t)l->args.dense.out;
}

const mg_layer_type mg_type_dense = {
    .name = "dense", .args = args, .arg_count = MG_COUNT_OF(args), .infer = infer, .flops = flops};

static mg_status forward(mg_op *op)
{
    const size_t in = mg_shape_size(op->layer->in), out = mg_shape_size(op->layer->out);
    for (size_t n = 0; n < (size_t)op->batch; n++)
        for (size_t k = 0; k < out; k++) {
            double sum = op->b[k];
            for (size_t i = 0; i < in; i++) sum += (double)op->w[k * in + i] * op->x[n * in + i];
            op->y[n * out + k] = (float)sum;
        }
    return MG_OK;
}

static mg_status backward(mg_op *op)
{
    const size_t in = mg_shape_size(op->layer->in), out = mg_shape_size(op->layer->out);
    const size_t batch = (size_t)op->batch;
    for (size_t k = 0; k < out; k++) {
        double bias = 0;
        for (size_t n = 0; n < batch; n++) bias += op->dy[n * out + k];
        op->db[k] = (float)bias;
        for (size_t i = 0; i < in; i++) {
            double sum = 0;
            for (size_t n = 0; n < batch; n++)
                sum += (double)op->dy[n * out + k] * op->x[n * in + i];
            op->dw[k * in + i] = (float)sum;
        }
    }
    if (!op->dx) return MG_OK;
    for (size_t n = 0; n < batch; n++)
        for (size_t i = 0; i < in; i++) {
            double sum = 0;
            for (size_t k = 0; k < out; k++) sum += (double)op->w[k * in + i] * op->dy[n * out + k];
            op->dx[n * in + i] = (float)sum;
        }
    return MG_OK;
}

const mg_layer_ops mg_ref_dense = {.forward = forward, .backward = backward};
