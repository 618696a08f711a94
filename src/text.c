#include "text.h"
#include <stddef.h>
#include <string.h>

/* The length of the UTF-8 sequence at `s`, 0 if there is none. */
static size_t sequence(const unsigned char *s)
{
    const size_t length = s[0] < 0x80                    ? 1
                          : s[0] >= 0xc2 && s[0] <= 0xdf ? 2
                          : s[0] >= 0xe0 && s[0] <= 0xef ? 3
                          : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                                         : 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    const bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    const bool surrogate = s[0] == 0xed && s[1] > 0x9f, beyond = s[0] == 0xf4 && s[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : length;
}

/* No control characters, nor U+FFFE and U+FFFF: XML has no room for them. */
static bool is_plain(const unsigned char *s, size_t length)
{
    if (length == 1) return s[0] >= 0x20 && s[0] != 0x7f;
    if (length == 2) return !(s[0] == 0xc2 && s[1] < 0xa0);
    return !(length == 3 && s[0] == 0xef && s[1] == 0xbf && s[2] >= 0xbe);
}

void mg__text_clean(char *text, bool lines)
{
    const unsigned char *from = (unsigned char *)text;
    char *to = text;
    while (*from) {
        const size_t length = sequence(from), taken = length ? length : 1;
        if ((length && is_plain(from, length)) || (lines && *from == '\n')) {
            memmove(to, from, length);
            to += length;
        } else {
            *to++ = '?';
        }
        from += taken;
    }
    *to = 0;
}
