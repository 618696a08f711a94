/* jansson and lack of memory. Its functions say that they failed, not why, its setters are often
 * not asked, and its reader (2.14) leaves characters of a text out that it had no room for, without
 * any sign. So what it asks for in vain is counted here. */
#ifndef MG_JSON_H
#define MG_JSON_H

#include "error.h"

/* How often jansson has asked for memory in vain on this thread, since the first call of this. */
unsigned mg__json_lacks(void);

/* MG_ERR_MEMORY, with "where: out of memory", if that has become more than `before`; else `st`. */
mg_status mg__json_status(mg_status st, unsigned before, const char *where);

#endif
