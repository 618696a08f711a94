#include "standin.h"

namespace standin
{
static bool overlap(const Operand &a, const Operand &b)
{
    const char *pa = static_cast<const char *>(a.data), *pb = static_cast<const char *>(b.data);
    return a.bytes && b.bytes && pa < pb + b.bytes && pb < pa + a.bytes;
}

static void check_operands(const char *call, const std::vector<Operand> &operands)
{
    for (const Operand &o : operands) {
        if (o.bytes && !is_device(o.data, o.bytes))
            die("%s: %s, %zu bytes at %p, is not inside one device allocation", call, o.name,
                o.bytes, o.data);
        if (reinterpret_cast<uintptr_t>(o.data) % sizeof(float))
            die("%s: %s at %p is not aligned", call, o.name, o.data);
    }
    for (size_t i = 0; i < operands.size(); i++)
        for (size_t j = 0; j < operands.size(); j++) {
            const Operand &a = operands[i], &b = operands[j];
            const bool in_place = a.data == b.data && a.bytes == b.bytes &&
                                  (a.same_as == b.data || b.same_as == a.data);
            if (i != j && a.written && overlap(a, b) && !in_place)
                die("%s: %s is written and overlaps %s", call, a.name, b.name);
        }
}

cudaError_t enqueue_call(const LibraryCall &call, std::function<void()> work)
{
    check_operands(call.name, call.operands);
    if (!*call.used && is_capturing(call.stream))
        die("%s: the first call through its handle is inside a stream capture", call.name);
    *call.used = true;
    return enqueue(call.stream, cudaGraphNodeTypeKernel, [call, work = std::move(work)] {
        check_operands(call.name, call.operands);
        if (call.workspace) std::memset(call.workspace, 0xff, call.workspace_bytes);
        work();
    });
}

void blend(float *y, const std::vector<float> &result, float alpha, float beta, size_t rows,
           size_t ld)
{
    for (size_t i = 0; i < result.size(); i++) {
        float &out = y[i / rows * ld + i % rows];
        out = beta == 0.0f ? alpha * result[i] : alpha * result[i] + beta * out;
    }
}
} // namespace standin
