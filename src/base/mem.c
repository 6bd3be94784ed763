// SPDX-License-Identifier: Apache-2.0
// Memory of long-lived objects.
#include "base/mem.h"

#include "base/err.h"

void *mem_array(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    must(p != NULL);
    return p;
}

void *mem_resize(void *p, size_t count, size_t size)
{
    size_t bytes;
    must(!__builtin_mul_overflow(count, size, &bytes));
    void *grown = realloc(p, bytes ? bytes : 1);
    must(grown != NULL);
    return grown;
}

void mem_free(void *p)
{
    free(p);
}
