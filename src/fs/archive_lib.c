// SPDX-License-Identifier: Apache-2.0
// libarchive's table of functions, and the locale in which it reads names.
#include "fs/archive_lib.h"

#include "base/library.h"

struct archive_lib archive_lib;

static const struct library_symbol symbols[] = {
#define ARCHIVE_SYMBOL(fn) LIBRARY_SYMBOL(archive_lib, fn),
    ARCHIVE_FUNCTIONS(ARCHIVE_SYMBOL)
#undef ARCHIVE_SYMBOL
};
static struct library library = LIBRARY("libarchive.so.13", "libarchive13", symbols);

bool archive_lib_need(struct err *err) { return library_need(&library, err); }

locale_t archive_names_begin(void)
{
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return utf8 ? uselocale(utf8) : (locale_t)0;
}

void archive_names_end(locale_t before)
{
    if (before)
        freelocale(uselocale(before));
}
