#include "layers/loss.h"

mg_status mg__loss_infer(mg_layer *l)
{
    if (l->in.h != 1 || l->in.w != 1)
        return mg__fail(MG_ERR_FORMAT, "expects a vector, found %dx%dx%d: put a dense layer before",
                        l->in.c, l->in.h, l->in.w);
    l->out = l->in;
    return MG_OK;
}

static int argmax(const float *x, int classes)
{
    int best = 0;
    for (int k = 1; k < classes; k++)
        if (x[k] > x[best]) best = k;
    return best;
}

mg_status mg__loss_forward(mg_op *op, mg_loss_row_fn *row)
{
    const mg_feed *f = op->feed;
    const int classes = op->layer->out.c;
    const uint32_t rows = mg_step_rows(f->state);
    double loss = 0;
    uint32_t correct = 0;
    for (uint32_t n = 0; n < (uint32_t)op->batch; n++) {
        const size_t at = (size_t)n * (size_t)classes;
        const int label = f->batch_labels[n], best = argmax(op->x + at, classes);
        const double row_loss = row(op->layer, op->y + at, op->x + at, label, best);
        if (n >= rows) continue;
        loss += row_loss;
        correct += best == label;
        if (f->predictions) f->predictions[f->state->cursor + n] = (uint8_t)best;
    }
    f->stats[f->state->slot] = (mg_step_stat){(float)loss, correct};
    return MG_OK;
}

mg_status mg__loss_backward(mg_op *op, mg_loss_gradient_fn *gradient)
{
    const mg_feed *f = op->feed;
    const size_t classes = (size_t)op->layer->out.c;
    const uint32_t rows = mg_step_rows(f->state);
    for (uint32_t n = 0; n < (uint32_t)op->batch; n++) {
        const size_t at = n * classes;
        gradient(op->layer, op->dx + at, op->x + at, op->y + at, f->batch_labels[n]);
        for (size_t k = 0; k < classes; k++)
            op->dx[at + k] = n < rows ? op->dx[at + k] / (float)rows : 0;
    }
    return MG_OK;
}
