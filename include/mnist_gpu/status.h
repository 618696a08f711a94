/* Error codes and the message that goes with them.
 *
 * Every function of this library that can fail returns mg_status: MG_OK (0) or a negative code. On
 * failure a one-line message for the user is kept per thread: what went wrong, where (file, line,
 * tensor), what was found and what was expected. Outputs are untouched unless stated otherwise. */
#ifndef MNIST_GPU_STATUS_H
#define MNIST_GPU_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/*    name         code  text */
#define MG_STATUS_MAP(X)                                                                           \
    X(OK, 0, "success")                                                                            \
    X(ERR_INVALID, -1, "invalid argument")                                                         \
    X(ERR_MEMORY, -2, "out of memory")                                                             \
    X(ERR_IO, -3, "input/output error")                                                            \
    X(ERR_NOT_FOUND, -4, "not found")                                                              \
    X(ERR_FORMAT, -5, "malformed input")                                                           \
    X(ERR_MISMATCH, -6, "parts that do not fit together")                                          \
    X(ERR_DEVICE, -7, "device error")                                                              \
    X(ERR_UNSUPPORTED, -8, "not supported")                                                        \
    X(ERR_NUMERIC, -9, "a number that is not finite")                                              \
    X(ERR_INTERRUPTED, -10, "interrupted")                                                         \
    X(ERR_NETWORK, -11, "network error")

typedef enum mg_status {
#define MG_STATUS_ENUM(name, code, text) MG_##name = (code),
    MG_STATUS_MAP(MG_STATUS_ENUM)
#undef MG_STATUS_ENUM
} mg_status;

/* The name of a code ("ERR_FORMAT") and its general meaning ("malformed input"); never NULL. */
const char *mg_status_name(mg_status code);
const char *mg_status_text(mg_status code);

/* The message of this thread's last failure; "" if there was none. Valid until the next failure in
 * the same thread. One line, no trailing newline or full stop. */
const char *mg_last_error(void);

#ifdef __cplusplus
}
#endif
#endif
