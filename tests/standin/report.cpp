#include "standin.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>

namespace standin
{
static void report(const char *format, va_list args)
{
    std::fputs("standin: ", stderr);
    std::vfprintf(stderr, format, args);
    std::fputc('\n', stderr);
}

void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(format, args);
    va_end(args);
    std::abort();
}

void complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(format, args);
    va_end(args);
}

void execution_order(std::vector<unsigned> &order, unsigned n)
{
    static const char *const text = std::getenv("MG_STANDIN_ORDER");
    static const std::string kind = text ? text : "fwd";
    static const bool random = kind.rfind("rand:", 0) == 0;
    static uint32_t state = random ? static_cast<uint32_t>(std::atoi(kind.c_str() + 5)) : 0;
    if (!random && kind != "fwd" && kind != "rev")
        die("MG_STANDIN_ORDER is \"%s\"; it can be fwd, rev or rand:SEED", text);
    order.resize(n);
    std::iota(order.begin(), order.end(), 0u);
    if (kind == "rev") std::reverse(order.begin(), order.end());
    for (unsigned i = n; random && i > 1; i--) {
        state = state * 1664525u + 1013904223u;
        std::swap(order[i - 1], order[(state >> 8) % i]);
    }
}

} // namespace standin
