/* Streams, events, capture, graphs and launches. Work queues in its stream until something waits
 * for it; streams not ordered by events run in the order MG_STANDIN_ORDER gives. */
#include "standin.h"

#include <chrono>
#include <deque>
#include <memory>

namespace standin
{
using Work = std::shared_ptr<const std::function<void()>>;

struct Node {
    cudaGraphNodeType type;
    Work work;
};

struct Graph {
    std::deque<Node> nodes;
};

struct Stream {
    bool blocking; /* waits for the legacy stream, and it for this one */
    std::deque<Work> queue;
    std::unique_ptr<Graph> capture;
    bool spoilt; /* the capture can only be ended, with an error */
};

struct Event {
    bool timing;
    Stream *stream;          /* of the last record */
    uint64_t recorded, done; /* records enqueued, records run */
    double milliseconds;     /* when the last one ran */
};

static std::vector<Stream *> streams;

static Stream *find(cudaStream_t s)
{
    const auto it = std::find(streams.begin(), streams.end(), reinterpret_cast<Stream *>(s));
    return it == streams.end() ? nullptr : *it;
}

static bool is_legacy(cudaStream_t s) { return !s || s == cudaStreamLegacy; }
static Event *event_of(cudaEvent_t e) { return reinterpret_cast<Event *>(e); }
static Graph *graph_of(cudaGraph_t g) { return reinterpret_cast<Graph *>(g); }
static Graph *graph_of(cudaGraphExec_t g) { return reinterpret_cast<Graph *>(g); }

static void run_one(Stream &s)
{
    const Work work = s.queue.front();
    s.queue.pop_front();
    (*work)();
}

static void drain(Stream &s)
{
    if (s.queue.empty()) return;
    DeviceAccess access;
    while (!s.queue.empty()) run_one(s);
}

void drain(cudaStream_t stream)
{
    if (Stream *s = find(stream)) drain(*s);
}

void drain_all()
{
    std::vector<unsigned> order;
    execution_order(order, static_cast<unsigned>(streams.size()));
    for (unsigned i : order) drain(*streams[i]);
}

static void drain_blocking()
{
    for (Stream *s : streams)
        if (s->blocking) drain(*s);
}

static bool spoil_captures()
{
    bool any = false;
    for (Stream *s : streams)
        if (s->capture) any = s->spoilt = true;
    return any;
}

cudaError_t forbid_in_capture(const char *call)
{
    if (!spoil_captures()) return cudaSuccess;
    complain("%s inside a stream capture", call);
    return set_error(cudaErrorStreamCaptureUnsupported);
}

bool is_capturing(cudaStream_t stream)
{
    const Stream *s = find(stream);
    return s && s->capture;
}

static cudaError_t enqueue(cudaStream_t stream, const Node &node)
{
    if (is_legacy(stream)) {
        if (spoil_captures()) {
            complain("work on the legacy stream while another is being captured");
            return set_error(cudaErrorStreamCaptureImplicit);
        }
        drain_blocking();
        DeviceAccess access;
        (*node.work)();
        return cudaSuccess;
    }
    Stream *s = find(stream);
    if (!s) return set_error(cudaErrorInvalidResourceHandle);
    if (s->spoilt) return set_error(cudaErrorStreamCaptureInvalidated);
    if (s->capture)
        s->capture->nodes.push_back(node);
    else
        s->queue.push_back(node.work);
    return cudaSuccess;
}

cudaError_t enqueue(cudaStream_t stream, cudaGraphNodeType type, std::function<void()> work)
{
    return enqueue(stream, {type, std::make_shared<const std::function<void()>>(std::move(work))});
}

/* Limits of compute capability 9.0. */
static cudaError_t check_launch(const Launch &l)
{
    if (const cudaError_t e = planned(cudaErrorUnknown, l.name)) return e;
    const dim3 g = l.grid, b = l.block;
    const uint64_t threads = uint64_t{b.x} * b.y * b.z, blocks = uint64_t{g.x} * g.y * g.z;
    if (threads == 0 || threads > 1024 || b.z > 64 || blocks == 0 || g.x > 0x7fffffffu ||
        g.y > 65535 || g.z > 65535) {
        complain("%s: launch of %u x %u x %u blocks of %u x %u x %u threads", l.name, g.x, g.y, g.z,
                 b.x, b.y, b.z);
        return cudaErrorInvalidConfiguration;
    }
    if (l.shared_bytes > shared_limit(l.kernel)) {
        complain("%s: %zu bytes of dynamic shared memory, the limit is %zu", l.name, l.shared_bytes,
                 shared_limit(l.kernel));
        return cudaErrorInvalidValue;
    }
    if (l.cooperative && blocks > 132 * (2048 / threads)) {
        complain("%s: %zu blocks do not run together", l.name, static_cast<size_t>(blocks));
        return cudaErrorCooperativeLaunchTooLarge;
    }
    return cudaSuccess;
}

void launch(const Launch &config, cudaStream_t stream, std::function<void()> body)
{
    if (set_error(check_launch(config)) != cudaSuccess) return;
    enqueue(stream, cudaGraphNodeTypeKernel, [=] { run_grid(config, body); });
}

static double now_milliseconds()
{
    using namespace std::chrono;
    return duration<double, std::milli>(steady_clock::now().time_since_epoch()).count();
}

/* One step towards the event; false: it has been reached. */
static bool advance_to(const Event &e, uint64_t record)
{
    if (e.done >= record) return false;
    DeviceAccess access;
    run_one(*e.stream);
    return true;
}
} // namespace standin

using namespace standin;

extern "C" {

/* ---- streams ---- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    Stream *s = new Stream{(flags & cudaStreamNonBlocking) == 0, {}, nullptr, false};
    streams.push_back(s);
    *stream = reinterpret_cast<cudaStream_t>(s);
    return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t *stream)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    Stream *s = find(stream);
    if (!s) return set_error(cudaErrorInvalidResourceHandle);
    drain(*s);
    streams.erase(std::find(streams.begin(), streams.end(), s));
    delete s;
    return set_error(planned(cudaErrorUnknown));
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    if (const cudaError_t e = forbid_in_capture("cudaStreamSynchronize")) return e;
    if (is_legacy(stream))
        drain_blocking();
    else if (Stream *s = find(stream))
        drain(*s);
    else
        return set_error(cudaErrorInvalidResourceHandle);
    return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize()
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    if (const cudaError_t e = forbid_in_capture("cudaDeviceSynchronize")) return e;
    drain_all();
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    if (is_capturing(stream)) die("cudaStreamWaitEvent in a capture: the stand-in has no forks");
    Event *e = event_of(event);
    return enqueue(stream, cudaGraphNodeTypeWaitEvent, [e, record = e->recorded] {
        while (advance_to(*e, record)) {
        }
    });
}

/* ---- events ---- */

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    *event = reinterpret_cast<cudaEvent_t>(
        new Event{(flags & cudaEventDisableTiming) == 0, nullptr, 0, 0, 0});
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *event)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    Event *e = event_of(event);
    drain_all();
    delete e;
    return set_error(planned(cudaErrorUnknown));
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    if (is_capturing(stream)) die("cudaEventRecord in a capture: the stand-in has no forks");
    Event *e = event_of(event);
    e->stream = find(stream);
    e->recorded++;
    return enqueue(stream, cudaGraphNodeTypeEventRecord, [e] {
        e->done++;
        e->milliseconds = now_milliseconds();
    });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    if (const cudaError_t e = forbid_in_capture("cudaEventSynchronize")) return e;
    const Event *e = event_of(event);
    while (advance_to(*e, e->recorded)) {
    }
    return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    if (const cudaError_t e = forbid_in_capture("cudaEventQuery")) return e;
    const Event *e = event_of(event);
    return advance_to(*e, e->recorded) ? cudaErrorNotReady : cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    const Event *a = event_of(start), *b = event_of(end);
    if (!a->timing || !b->timing || !a->recorded || !b->recorded)
        return set_error(cudaErrorInvalidResourceHandle);
    if (a->done < a->recorded || b->done < b->recorded) return set_error(cudaErrorNotReady);
    *ms = static_cast<float>(b->milliseconds - a->milliseconds);
    return cudaSuccess;
}

/* ---- capture and graphs ---- */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    Stream *s = find(stream);
    if (!s) return set_error(cudaErrorStreamCaptureUnsupported); /* the legacy stream's answer */
    if (s->capture) return set_error(cudaErrorIllegalState);
    s->capture = std::make_unique<Graph>();
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    Stream *s = find(stream);
    *graph = nullptr;
    if (!s || !s->capture) return set_error(cudaErrorIllegalState);
    const cudaError_t planned_error = planned(cudaErrorUnknown);
    const bool spoilt = s->spoilt;
    std::unique_ptr<Graph> captured = std::move(s->capture);
    s->spoilt = false;
    if (planned_error) return set_error(planned_error);
    if (spoilt) return set_error(cudaErrorStreamCaptureInvalidated);
    *graph = reinterpret_cast<cudaGraph_t>(captured.release());
    return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus *status)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    const Stream *s = find(stream);
    *status = !s || !s->capture ? cudaStreamCaptureStatusNone
              : s->spoilt       ? cudaStreamCaptureStatusInvalidated
                                : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

/* nodes NULL: how many there are; else up to *count of them. */
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    Graph *g = graph_of(graph);
    const size_t n = nodes ? std::min(*count, g->nodes.size()) : g->nodes.size();
    for (size_t i = 0; nodes && i < n; i++)
        nodes[i] = reinterpret_cast<cudaGraphNode_t>(&g->nodes[i]);
    *count = n;
    return cudaSuccess;
}

cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType *type)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    *type = reinterpret_cast<const Node *>(node)->type;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    if (const cudaError_t e = forbid_in_capture("cudaGraphInstantiate")) return e;
    *exec = reinterpret_cast<cudaGraphExec_t>(new Graph(*graph_of(graph)));
    return cudaSuccess;
}

cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) { return cudaSuccess; }

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    for (const Node &node : graph_of(exec)->nodes)
        if (const cudaError_t e = enqueue(stream, node)) return e;
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph_of(graph);
    return set_error(planned(cudaErrorUnknown));
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    delete graph_of(exec);
    return set_error(planned(cudaErrorUnknown));
}
}
