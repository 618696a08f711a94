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

#ifdef __GNUC__
#define MG_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define MG_PRINTF(fmt, args)
#endif

/* Stores the message and returns `code`, so that `return mg__fail(...)` is one statement. */
mg_status mg__fail(mg_status code, const char *fmt, ...) MG_PRINTF(2, 3);
mg_status mg__vfail(mg_status code, const char *fmt, va_list args) MG_PRINTF(2, 0);

/* Puts "prefix: " before the present message and returns `code`: adds the place as an error rises.
 */
mg_status mg__fail_in(mg_status code, const char *fmt, ...) MG_PRINTF(2, 3);

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
