// SPDX-License-Identifier: Apache-2.0
// Loading a library that is there, one that is not, and one that lacks what we need.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/library.h"

static struct {
    pid_t (*getpgid)(pid_t);
} lib;
static const struct library_symbol symbols[] = {LIBRARY_SYMBOL(lib, getpgid)};

static void what_is_there_is_loaded(void **state)
{
    (void)state;
    static struct library l = LIBRARY("libc.so.6", "libc6", symbols);
    struct err err;
    assert_true(library_need(&l, &err) && library_need(&l, &err) && library_there(&l));
    assert_int_equal(lib.getpgid(0), getpgid(0));
}

static void what_is_not_there_names_its_package(void **state)
{
    (void)state;
    static struct library l = LIBRARY("libnowhere.so.1", "libnowhere1", symbols);
    struct err err;
    assert_false(library_need(&l, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(err.text, "libnowhere1"));
    assert_false(library_there(&l));
}

static void a_missing_function_is_named(void **state)
{
    (void)state;
    static void *nothing;
    static const struct library_symbol odd[] = {{"getpgid_of_nobody", &nothing}};
    static struct library l = LIBRARY("libc.so.6", "libc6", odd);
    struct err err;
    assert_false(library_need(&l, &err));
    assert_non_null(strstr(err.text, "getpgid_of_nobody"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_there_is_loaded),
        cmocka_unit_test(what_is_not_there_names_its_package),
        cmocka_unit_test(a_missing_function_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
