/* The device, errors and memory copies. The device is called "CUDA stand-in" and has the figures
 * of an H100, whose launch limits the stand-in keeps. */
#include "standin.h"

#include <cstdio>
#include <map>

namespace standin
{
static cudaError_t last_error = cudaSuccess;
static std::map<const void *, size_t> shared_limits;

constexpr size_t default_shared = 48 << 10, most_shared = 227 << 10;

cudaError_t set_error(cudaError_t error)
{
    if (error != cudaSuccess) last_error = error;
    return error;
}

size_t shared_limit(const void *kernel)
{
    const auto it = shared_limits.find(kernel);
    return it == shared_limits.end() ? default_shared : std::max(default_shared, it->second);
}

static const char *name_of(Memory kind)
{
    static const char *const names[] = {"pageable", "pinned", "device", "freed"};
    return names[static_cast<int>(kind)];
}

/* The kind has to name where the pointers really lie, each range inside one allocation. */
static cudaError_t check_copy(const void *to, const void *from, size_t bytes, cudaMemcpyKind kind)
{
    const Memory dst = memory_kind(to, bytes), src = memory_kind(from, bytes);
    const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    if (kind == cudaMemcpyDefault) return cudaSuccess;
    if (to_device == (dst == Memory::Device) && from_device == (src == Memory::Device))
        return cudaSuccess;
    complain("copy of kind %d of %zu bytes from %s to %s memory", static_cast<int>(kind), bytes,
             name_of(src), name_of(dst));
    return set_error(cudaErrorInvalidValue);
}
} // namespace standin

using namespace standin;

extern "C" {

/* ---- the device ---- */

cudaError_t cudaGetDeviceCount(int *count)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    *count = 1;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    return set_error(device == 0 ? cudaSuccess : cudaErrorInvalidDevice);
}

cudaError_t cudaGetDevice(int *device)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    *device = 0;
    return cudaSuccess;
}

static cudaError_t describe(cudaDeviceProp *prop, int device)
{
    if (device != 0) return set_error(cudaErrorInvalidDevice);
    *prop = cudaDeviceProp{};
    size_t free_bytes;
    memory_info(&free_bytes, &prop->totalGlobalMem);
    std::snprintf(prop->name, sizeof prop->name, "CUDA stand-in");
    prop->major = 9;
    prop->multiProcessorCount = 132;
    prop->warpSize = 32;
    prop->maxThreadsPerBlock = 1024;
    prop->maxThreadsPerMultiProcessor = 2048;
    prop->sharedMemPerBlock = default_shared;
    prop->sharedMemPerBlockOptin = most_shared;
    prop->sharedMemPerMultiprocessor = 228 << 10;
    prop->l2CacheSize = 50 << 20;
    prop->cooperativeLaunch = 1;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *prop, int device)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    return describe(prop, device);
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    cudaDeviceProp prop;
    if (const cudaError_t e = describe(&prop, device)) return e;
    switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor:
        *value = prop.major;
        break;
    case cudaDevAttrComputeCapabilityMinor:
        *value = prop.minor;
        break;
    case cudaDevAttrMultiProcessorCount:
        *value = prop.multiProcessorCount;
        break;
    case cudaDevAttrClockRate: /* kHz */
        *value = 1980000;
        break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = most_shared;
        break;
    case cudaDevAttrCooperativeLaunch:
        *value = prop.cooperativeLaunch;
        break;
    default:
        die("cudaDeviceGetAttribute: attribute %d", static_cast<int>(attribute));
    }
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void *kernel, cudaFuncAttribute attribute, int value)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess; /* a hint */
    if (value < 0 || static_cast<size_t>(value) > most_shared)
        return set_error(cudaErrorInvalidValue);
    shared_limits[kernel] = static_cast<size_t>(value);
    return cudaSuccess;
}

/* ---- errors ---- */

cudaError_t cudaGetLastError()
{
    const cudaError_t e = last_error;
    last_error = cudaSuccess;
    return e;
}

cudaError_t cudaPeekAtLastError() { return last_error; }

const char *cudaGetErrorName(cudaError_t error)
{
    switch (error) {
#define NAME(code)                                                                                 \
    case code:                                                                                     \
        return #code
        NAME(cudaSuccess);
        NAME(cudaErrorInvalidValue);
        NAME(cudaErrorMemoryAllocation);
        NAME(cudaErrorInvalidConfiguration);
        NAME(cudaErrorInsufficientDriver);
        NAME(cudaErrorNoDevice);
        NAME(cudaErrorInvalidDevice);
        NAME(cudaErrorNoKernelImageForDevice);
        NAME(cudaErrorInvalidResourceHandle);
        NAME(cudaErrorIllegalState);
        NAME(cudaErrorNotReady);
        NAME(cudaErrorUnknown);
        NAME(cudaErrorCooperativeLaunchTooLarge);
        NAME(cudaErrorStreamCaptureUnsupported);
        NAME(cudaErrorStreamCaptureInvalidated);
        NAME(cudaErrorStreamCaptureImplicit);
#undef NAME
    default:
        return "unrecognized error code";
    }
}

const char *cudaGetErrorString(cudaError_t error)
{
    return error == cudaSuccess ? "no error" : cudaGetErrorName(error);
}

/* ---- memory ---- */

cudaError_t cudaMalloc(void **p, size_t bytes)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    if (const cudaError_t e = forbid_in_capture("cudaMalloc")) return e;
    *p = bytes ? device_alloc(bytes) : nullptr;
    return *p || !bytes ? cudaSuccess : set_error(cudaErrorMemoryAllocation);
}

cudaError_t cudaFree(void *p)
{
    if (const cudaError_t e = forbid_in_capture("cudaFree")) return e;
    if (!p) return cudaSuccess;
    drain_all();
    if (device_free(p)) return set_error(planned(cudaErrorUnknown)); /* freed all the same */
    complain("cudaFree of %p, which is no allocation", p);
    return set_error(cudaErrorInvalidValue);
}

cudaError_t cudaHostAlloc(void **p, size_t bytes, unsigned)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    if (const cudaError_t e = forbid_in_capture("cudaHostAlloc")) return e;
    *p = bytes ? pinned_alloc(bytes) : nullptr;
    return *p || !bytes ? cudaSuccess : set_error(cudaErrorMemoryAllocation);
}

cudaError_t cudaMallocHost(void **p, size_t bytes) { return cudaHostAlloc(p, bytes, 0); }

cudaError_t cudaFreeHost(void *p)
{
    if (const cudaError_t e = forbid_in_capture("cudaFreeHost")) return e;
    if (!p) return cudaSuccess;
    drain_all();
    if (pinned_free(p)) return set_error(planned(cudaErrorUnknown));
    complain("cudaFreeHost of %p, which is no allocation", p);
    return set_error(cudaErrorInvalidValue);
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    memory_info(free_bytes, total);
    return cudaSuccess;
}

/* Pageable memory is read before the call returns, and written before it returns; pinned memory
 * when the copy runs. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    if (bytes == 0) return cudaSuccess;
    if (const cudaError_t e = check_copy(to, from, bytes, kind)) return e;
    const bool reads_pageable = memory_kind(from, bytes) == Memory::Pageable;
    const bool writes_pageable = memory_kind(to, bytes) == Memory::Pageable;
    if ((reads_pageable || writes_pageable) && is_capturing(stream))
        return forbid_in_capture("cudaMemcpyAsync of pageable memory");
    if (reads_pageable) {
        const char *source = static_cast<const char *>(from);
        return enqueue(stream, cudaGraphNodeTypeMemcpy,
                       [to, staged = std::vector<char>(source, source + bytes)] {
                           std::memcpy(to, staged.data(), staged.size());
                       });
    }
    const cudaError_t e =
        enqueue(stream, cudaGraphNodeTypeMemcpy, [=] { std::memcpy(to, from, bytes); });
    if (e == cudaSuccess && writes_pageable) drain(stream);
    return e;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind)
{
    if (const cudaError_t e = forbid_in_capture("cudaMemcpy")) return e;
    return cudaMemcpyAsync(to, from, bytes, kind, cudaStreamLegacy);
}

cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t stream)
{
    if (const cudaError_t e = planned(cudaErrorUnknown)) return set_error(e);
    if (bytes == 0) return cudaSuccess;
    if (!is_device(p, bytes)) {
        complain("cudaMemset of %zu bytes outside an allocation", bytes);
        return set_error(cudaErrorInvalidValue);
    }
    return enqueue(stream, cudaGraphNodeTypeMemset, [=] { std::memset(p, value, bytes); });
}

cudaError_t cudaMemset(void *p, int value, size_t bytes)
{
    return cudaMemsetAsync(p, value, bytes, cudaStreamLegacy);
}
}
