// SPDX-License-Identifier: Apache-2.0
// Memory of long-lived objects, the ones with _new and _free. Everything else lives in an arena.
// Running out of memory here is not survivable and not reported: the process ends (restart recovers it).
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

// count zeroed objects; never NULL. Owner: caller, mem_free.
void *mem_array(size_t count, size_t size) __attribute__((malloc, warn_unused_result));
// Grows or shrinks; what is new is not zeroed. p may be NULL.
void *mem_resize(void *p, size_t count, size_t size) __attribute__((warn_unused_result));
void mem_free(void *p); // NULL is fine

#define mem_new(type) ((type *)mem_array(1, sizeof(type)))

#endif
