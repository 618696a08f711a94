#include "error.h"
#include "text.h"
#include <stdio.h>
#include <string.h>

enum { MESSAGE_SIZE = 4096 + 1024 }; /* the longest path, and what is wrong with it */
static _Thread_local char message[MESSAGE_SIZE];

const char *mg_status_name(mg_status code)
{
    switch (code) {
#define MG_STATUS_CASE(name, value, text)                                                          \
    case MG_##name:                                                                                \
        return #name;
        MG_STATUS_MAP(MG_STATUS_CASE)
#undef MG_STATUS_CASE
    }
    return "unknown";
}

const char *mg_status_text(mg_status code)
{
    switch (code) {
#define MG_STATUS_CASE(name, value, text)                                                          \
    case MG_##name:                                                                                \
        return text;
        MG_STATUS_MAP(MG_STATUS_CASE)
#undef MG_STATUS_CASE
    }
    return "unknown status";
}

const char *mg_last_error(void) { return message; }

mg_status mg__vfail(mg_status code, const char *fmt, va_list args)
{
    char fresh[sizeof message]; /* the arguments may point into the present message */
    vsnprintf(fresh, sizeof fresh, fmt, args);
    /* Messages quote files and arguments: nothing in them may break the line or steer a terminal.
     */
    mg__text_clean(fresh, false);
    memcpy(message, fresh, sizeof message);
    return code;
}

mg_status mg__set_failure(mg_status code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    mg__vfail(code, fmt, args);
    va_end(args);
    return code;
}

mg_status mg__set_failure_in(mg_status code, const char *fmt, ...)
{
    char place[MESSAGE_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(place, sizeof place, fmt, args);
    va_end(args);
    return mg__fail(code, "%s: %s", place, message);
}
