/* What maxpool and avgpool have in common, size=S stride=S: windows that lie inside the image,
 *
 *     P = (H - S) / stride + 1
 *
 * of them, rounded down: rows and columns that are left over are not seen. */
#include "layers/layer.h"

const mg_arg mg__pool_args[MG_POOL_ARGS] = {
    {.key = "size",
     .kind = MG_ARG_INT,
     .offset = offsetof(mg_layer_args, pool.size),
     .required = true,
     .min = 1,
     .max = 255},
    {.key = "stride",
     .kind = MG_ARG_INT,
     .offset = offsetof(mg_layer_args, pool.stride),
     .value = 0,
     .min = 1,
     .max = 255},
};

mg_status mg__pool_infer(mg_layer *l)
{
    struct mg_pool_args *a = &l->args.pool;
    if (!a->stride) a->stride = a->size;
    if (a->size > l->in.h || a->size > l->in.w)
        return mg__fail(MG_ERR_FORMAT, "size=%d is larger than its input, %dx%d", a->size, l->in.h,
                        l->in.w);
    l->out = (mg_shape){l->in.c, (l->in.h - a->size) / a->stride + 1,
                        (l->in.w - a->size) / a->stride + 1};
    return MG_OK;
}
