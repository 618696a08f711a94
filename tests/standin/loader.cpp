/* dlopen, dlsym and dlerror for the backend: its libraries are the stand-in, whose functions have
 * to be there, with the right signatures, for this to compile and link. */
#include "standin.h"

#include "cuda/libraries.h"
#include <cstdio>
#include <cstring>
#include <string>

using namespace standin;

namespace
{
struct Function {
    const char *symbol;
    void *address;
};

#define FUNCTION(call) {MG_SYMBOL(call), reinterpret_cast<void *>(call)},
const Function cublas[] = {MG_CUBLAS_CALLS(FUNCTION){nullptr, nullptr}};
const Function cudnn[] = {MG_CUDNN_CALLS(FUNCTION){nullptr, nullptr}};
#undef FUNCTION

char message[200];
} // namespace

extern "C" {

/* A failure is planned under the name without version: libcudnn.so:1. */
void *standin_dlopen(const char *file, int)
{
    std::snprintf(message, sizeof message,
                  "%s: cannot open shared object file: No such file or directory", file);
    const std::string name = std::string(file).substr(0, std::string(file).rfind('.'));
    if (planned_failure(1, name.c_str())) return nullptr;
    if (name == "libcublas.so") return const_cast<Function *>(cublas);
    if (name == "libcudnn.so") return const_cast<Function *>(cudnn);
    return nullptr;
}

/* A failure is planned as dlsym(cudnnCreate):1. */
void *standin_dlsym(void *library, const char *symbol)
{
    if (planned_failure(0, (std::string("dlsym(") + symbol + ")").c_str())) return nullptr;
    const Function *f = static_cast<const Function *>(library);
    while (f->symbol && std::strcmp(f->symbol, symbol) != 0) f++;
    return f->address;
}

char *standin_dlerror() { return message; }
}
