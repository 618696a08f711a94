/* How this library reports failures (the user's view is mnist_gpu/status.h).
 *
 *     mg_status st;
 *     MG_TRY(mg__file_read(&text, path));          // jumps to `out` with st set
 *     if (bad) MG_FAIL(MG_ERR_FORMAT, "%s:%d: ...", path, line);
 *     ...
 *     st = MG_OK;
 * out:
 *     free(text);
 *     return st;
 */
#ifndef MG_ERROR_H
#define MG_ERROR_H

#include "mnist_gpu/status.h"
#include <stdarg.h>
#include <stdlib.h>

#ifdef __GNUC__
#define MG_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define MG_FRESH             __attribute__((malloc)) /* what it returns, nothing else points to */
#else
#define MG_PRINTF(fmt, args)
#define MG_FRESH
#endif

/* mg__fail(code, fmt, ...) stores the message and returns `code`, so that `return mg__fail(...)` is
 * one statement. mg__fail_in(code, fmt, ...) puts "prefix: " before the present message and returns
 * `code`: adds the place as an error rises. Both are macros to show at every call, to analyzers
 * too, that what they return is not MG_OK. */
#define mg__fail(...)    mg__failed(mg__set_failure(__VA_ARGS__))
#define mg__fail_in(...) mg__failed(mg__set_failure_in(__VA_ARGS__))

mg_status mg__set_failure(mg_status code, const char *fmt, ...) MG_PRINTF(2, 3);
mg_status mg__set_failure_in(mg_status code, const char *fmt, ...) MG_PRINTF(2, 3);
mg_status mg__vfail(mg_status code, const char *fmt, va_list args) MG_PRINTF(2, 0);

static inline mg_status mg__failed(mg_status code)
{
    if (code == MG_OK) abort(); /* a mistake in the program */
    return code;
}

#define MG_TRY(expr)                                                                               \
    do {                                                                                           \
        if ((st = (expr)) != MG_OK) goto out;                                                      \
    } while (0)
#define MG_FAIL(...)                                                                               \
    do {                                                                                           \
        st = mg__fail(__VA_ARGS__);                                                                \
        goto out;                                                                                  \
    } while (0)

#define MG_COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

#endif
