/* A library for LD_PRELOAD that lets chosen calls of a program fail, and records them. The
 * environment says what to do:
 *
 *     FAULTS_CALLS=files    the calls on files count that concern what lies under FAULTS_ROOT, a
 *                           path without symbolic links (relative paths do so always)
 *     FAULTS_CALLS=memory   malloc, calloc, realloc, strdup and their like count
 *     FAULTS_AT=N           the call that fails, from 1; "N+": that one and all after it
 *     FAULTS_ERROR=EIO      how calls on files fail: EIO, ENOSPC, ...; EINTR: only what a signal
 *                           can interrupt, and with FAULTS_AT=1+ each of these once, so that a
 *                           second try works; short: reads and writes do half of what they should
 *                           kill: the program is killed instead of the call
 *     FAULTS_LOG=FILE       gets a line for each call on a file, "NUMBER CALL PATH", with
 *                           " failed" behind the one that fails (close and fstat of what is open
 *                           for reading alone are close-read and stat-read); "live SIZE OFFSET"
 *                           for each block of memory that the program itself, no library, holds
 *                           when main returns: its size, and where in the program it was taken;
 *                           and "calls COUNT"
 *
 * Calls count from the start of main to its return. What the C library does within itself, as
 * behind printf, is not seen; fopen is. */
#ifndef FAULTS_H
#define FAULTS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum faults_kind { FAULTS_NONE, FAULTS_FILES, FAULTS_MEMORY } faults_kind;

enum { FAULTS_SHORT = 0, FAULTS_KILL = -1 };

/* What is to be done with a call. */
typedef enum fault { FAULT_NONE, FAULT_FAIL, FAULT_SHORT } fault;

/* The environment, read. */
typedef struct faults_plan {
    faults_kind kind;
    unsigned long at; /* 0: never */
    bool and_after;
    int error; /* errno, FAULTS_SHORT or FAULTS_KILL */
    int log;   /* a file descriptor, or -1 */
    char root[4096];
    bool running; /* within main */
} faults_plan;
extern faults_plan faults;

/* Counts a call; true if it is one that fails. */
bool faults_count(unsigned long *number);

/* Writes a line of printf's form to the log. */
void faults_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* memory.c: logs the blocks that the program still holds. */
void faults_log_live(void);

/* The function of that name behind ours. */
void *faults_real(const char *name);

#endif
