/* cmocka.h as scripts/analyze.sh needs it: what fails or is skipped does not go on. cmocka's
 * functions leave by longjmp, which its own header does not say, so that tools warn of what is
 * ruled out. */
#ifndef MG_TEST_ANALYZE_CMOCKA_H
#define MG_TEST_ANALYZE_CMOCKA_H
#pragma GCC system_header

#include_next <cmocka.h>

void _fail(const char *file, int line) __attribute__((noreturn));
void _skip(const char *file, int line) __attribute__((noreturn));

#undef assert_true
#undef assert_false
#undef assert_null
#undef assert_non_null
#undef assert_int_equal
#undef assert_int_not_equal
#undef assert_in_range
#define assert_true(c)     ((c) ? (void)0 : _fail(__FILE__, __LINE__))
#define assert_false(c)    assert_true(!(c))
#define assert_null(p)     assert_true(!(p))
#define assert_non_null(p) assert_true(p)
#define assert_int_equal(a, b)                                                                     \
    assert_true(cast_to_largest_integral_type(a) == cast_to_largest_integral_type(b))
#define assert_int_not_equal(a, b)                                                                 \
    assert_true(cast_to_largest_integral_type(a) != cast_to_largest_integral_type(b))
#define assert_in_range(value, least, most)                                                        \
    assert_true(cast_to_largest_integral_type(value) >= cast_to_largest_integral_type(least) &&    \
                cast_to_largest_integral_type(value) <= cast_to_largest_integral_type(most))

#endif
