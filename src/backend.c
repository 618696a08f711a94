/* Opens devices by name. The CUDA backend is a module of its own, so that the program starts, and a
 * CPU run goes, on machines that have no CUDA library. */
#include "backend.h"
#include "io/file.h"
#include <assert.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODULE_FILE "mnist_gpu_cuda.so"

/* ---- the CUDA module ---- */

/* Where the module may be: $MNIST_GPU_MODULE_DIR alone if set; else beside the program, or where
 * `cmake
 * --install` puts it. NULL past the last index. */
static char *module_path(int index)
{
    static const char *const places[] = {"", "/../lib/mnist_gpu"};
    const char *dir = getenv("MNIST_GPU_MODULE_DIR");
    if (dir && *dir) return index == 0 ? mg__format("%s/" MODULE_FILE, dir) : NULL;
    if (index >= MG_COUNT_OF(places)) return NULL;
    char self[4096];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0) return NULL;
    self[length] = 0;
    char *slash = strrchr(self, '/');
    if (slash) *slash = 0;
    return mg__format("%s%s/" MODULE_FILE, self, places[index]);
}

static mg_status check_module(const mg_cuda_module_api *api, const char *path)
{
    if (!api) return mg__fail(MG_ERR_DEVICE, "%s: not a module of this program", path);
    if (api->abi != MG_CUDA_MODULE_ABI || api->backend_ops_size != sizeof(mg_backend_ops) ||
        api->op_size != sizeof(mg_op))
        return mg__fail(MG_ERR_DEVICE, "%s: built for another version of this program", path);
    return MG_OK;
}

/* *api stays NULL on failure, with the reason as the message. The module is never unloaded: CUDA
 * libraries do not like that, and the process ends soon after. */
mg_status mg__cuda_module(const mg_cuda_module_api **api)
{
    static const mg_cuda_module_api *loaded;
    if (loaded) {
        *api = loaded;
        return MG_OK;
    }
    char *path;
    for (int i = 0; (path = module_path(i)); i++) {
        if (access(path, F_OK)) {
            free(path);
            continue;
        }
        void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        mg_status st =
            module ? MG_OK
                   : mg__fail(MG_ERR_DEVICE, "the CUDA module cannot be loaded: %s", dlerror());
        const mg_cuda_module_api *found = module ? dlsym(module, "mg_cuda_module") : NULL;
        if (!st) st = check_module(found, path);
        free(path);
        if (!st) *api = loaded = found;
        return st;
    }
    return mg__fail(MG_ERR_DEVICE,
                    "this program was built without CUDA (" MODULE_FILE " is not there)");
}

static mg_status open_cuda(mg_backend **out, int device)
{
    const mg_cuda_module_api *api = NULL;
    char reason[200] = "";
    const mg_status st = mg__cuda_module(&api);
    if (st) return st;
    assert(api);
    const int count = api->device_count(reason, sizeof reason);
    if (count <= 0) return mg__fail(MG_ERR_DEVICE, "%s", reason);
    if (device >= count)
        return mg__fail(MG_ERR_DEVICE, "no GPU %d: this machine has %d (0 to %d)", device, count,
                        count - 1);
    return api->open(out, device, mg__vfail);
}

mg_status mg_backend_cuda_info(char **out)
{
    char text[4096] = "";
    const mg_cuda_module_api *api = NULL;
    if (mg__cuda_module(&api))
        snprintf(text, sizeof text, "CUDA: %s\n", mg_last_error());
    else
        api->info(text, sizeof text, mg__vfail);
    *out = strdup(text);
    return *out ? MG_OK : mg__fail(MG_ERR_MEMORY, "out of memory");
}

/* ---- by name ---- */

static mg_status open_auto(mg_backend **out, int threads)
{
    if (open_cuda(out, 0) == MG_OK) return MG_OK;
    char reason[sizeof(*out)->fallback_reason];
    snprintf(reason, sizeof reason, "%s", mg_last_error());
    const mg_status st = mg__cpu_open(out, threads);
    if (!st) memcpy((*out)->fallback_reason, reason, sizeof reason);
    return st;
}

/* "cuda" or "cuda:N" */
static bool parse_cuda(const char *name, int *device)
{
    char *end;
    *device = 0;
    if (!strcmp(name, "cuda")) return true;
    if (strncmp(name, "cuda:", 5) || name[5] < '0' || name[5] > '9') return false;
    const long n = strtol(name + 5, &end, 10);
    *device = n < 1024 ? (int)n : 1024;
    return !*end;
}

mg_status mg_backend_open(mg_backend **out, const char *name, int threads)
{
    int device;
    if (threads < 0)
        return mg__fail(MG_ERR_INVALID, "threads: expected 0 or more, found %d", threads);
    if (!strcmp(name, "auto")) return open_auto(out, threads);
    if (!strcmp(name, "cpu")) return mg__cpu_open(out, threads);
    if (!strcmp(name, "ref")) return mg__ref_open(out);
    if (parse_cuda(name, &device)) return open_cuda(out, device);
    return mg__fail(MG_ERR_INVALID, "no device \"%s\" (known: auto, cuda, cuda:N, cpu, ref)", name);
}

const char *const mg_kernels_names[] = {
    [MG_KERNELS_AUTO] = "auto", [MG_KERNELS_FUSED] = "fused", [MG_KERNELS_CUDNN] = "cudnn", NULL};

mg_status mg_backend_set_kernels(mg_backend *be, const char *name)
{
    for (int i = 0; mg_kernels_names[i]; i++) {
        if (strcmp(name, mg_kernels_names[i]) != 0) continue;
        be->kernels = (mg_kernels)i;
        return MG_OK;
    }
    return mg__fail(MG_ERR_INVALID, "no kernels \"%s\" (known: auto, fused, cudnn)", name);
}

void mg_backend_close(mg_backend *be)
{
    if (be) be->ops->close(be);
}

const char *mg_backend_name(const mg_backend *be) { return be->ops->name; }
const char *mg_backend_description(const mg_backend *be) { return be->description; }
const char *mg_backend_fallback_reason(const mg_backend *be) { return be->fallback_reason; }
