#define _POSIX_C_SOURCE 200809L /* sigaction */
#include "signals.h"
#include "error.h"
#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t pipe_closed, noted;

static void note_closed_pipe(int number)
{
    (void)number;
    pipe_closed = 1;
}

void signals_begin(void)
{
    const struct sigaction note = {.sa_handler = note_closed_pipe};
    sigaction(SIGPIPE, &note, NULL);
    signal(SIGXFSZ, SIG_IGN);
}

bool signals_pipe_closed(void) { return pipe_closed; }

static struct stopper {
    int number;
    volatile sig_atomic_t caught;
} stoppers[] = {{SIGINT, 0}, {SIGTERM, 0}, {SIGHUP, 0}};

void signals_release(void)
{
    for (int i = 0; i < MG_COUNT_OF(stoppers); i++)
        if (stoppers[i].caught) signal(stoppers[i].number, SIG_DFL);
}

static void note(int number)
{
    noted = number;
    signals_release();
}

void signals_catch(void)
{
    const struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    for (int i = 0; i < MG_COUNT_OF(stoppers); i++) {
        struct sigaction old;
        struct stopper *s = &stoppers[i];
        if (sigaction(s->number, NULL, &old) || old.sa_handler == SIG_IGN) continue;
        s->caught = 1;
        sigaction(s->number, &action, NULL);
    }
}

int signals_noted(void) { return noted; }
