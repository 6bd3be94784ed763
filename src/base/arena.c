// SPDX-License-Identifier: Apache-2.0
// Bump allocator over malloc'ed chunks that grow from 1 KiB to 32 KiB, so that an arena that holds a
// few strings costs one small allocation. A request that would waste much of a chunk gets its own,
// put behind the head so that the head keeps filling.
// Under the address sanitizer the unused part of a chunk is poisoned: overruns are found as with malloc.
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
enum { ARENA_GAP = 16 }; // poisoned bytes between two allocations
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
enum { ARENA_GAP = 0 };
#endif

enum {
    ARENA_ALIGN = 16,
    CHUNK_FIRST = 1024,
    CHUNK_LARGEST = 32768, // glibc tidies its whole heap when a block of 64 KiB or more is freed
    CHUNK_SHARE = 4, // a request over 1/4 of a chunk gets a chunk of its own
};

struct arena_chunk {
    struct arena_chunk *older;
    size_t cap, used; // bytes of data
    _Alignas(ARENA_ALIGN) char data[];
};

void arena_init(struct arena *a, size_t budget)
{
    *a = (struct arena){.budget = budget};
}

void arena_reset(struct arena *a)
{
    for (struct arena_chunk *c = a->head, *older; c; c = older) {
        older = c->older;
        ASAN_UNPOISON_MEMORY_REGION(c->data, c->cap);
        if (a->wipe)
            explicit_bzero(c->data, c->used);
        free(c);
    }
    a->head = NULL;
    a->used = 0;
    a->exhausted = false;
}

void arena_release(struct arena *a)
{
    arena_reset(a);
}

static struct arena_chunk *chunk_new(size_t cap)
{
    struct arena_chunk *c = malloc(sizeof *c + cap);
    if (!c)
        return NULL;
    *c = (struct arena_chunk){.cap = cap};
    ASAN_POISON_MEMORY_REGION(c->data, c->cap);
    return c;
}

// A chunk with at least need free bytes, or NULL when the system has no memory.
static struct arena_chunk *chunk_for(struct arena *a, size_t need)
{
    struct arena_chunk *head = a->head;
    if (head && head->cap - head->used >= need)
        return head;
    size_t total = head ? (head->cap + sizeof *head) * 2 : CHUNK_FIRST;
    if (total > CHUNK_LARGEST)
        total = CHUNK_LARGEST;
    size_t cap = total - sizeof *head;
    bool own = need > cap / CHUNK_SHARE;
    struct arena_chunk *c = chunk_new(own ? need : cap);
    if (!c)
        return NULL;
    if (own && head) {
        c->older = head->older;
        head->older = c;
    } else {
        c->older = head;
        a->head = c;
    }
    return c;
}

void *arena_alloc(struct arena *a, size_t n)
{
    size_t size = (n + (n == 0) + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (a->exhausted || size < n || size > a->budget - a->used) {
        a->exhausted = true;
        return NULL;
    }
    struct arena_chunk *c = chunk_for(a, size + ARENA_GAP);
    if (!c) {
        a->exhausted = true;
        return NULL;
    }
    char *p = c->data + c->used;
    c->used += size + ARENA_GAP;
    a->used += size;
    ASAN_UNPOISON_MEMORY_REGION(p, n);
    memset(p, 0, n);
    return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t n;
    if (__builtin_mul_overflow(count, size, &n)) {
        a->exhausted = true;
        return NULL;
    }
    return arena_alloc(a, n);
}

struct str arena_str(struct arena *a, struct str s)
{
    if (!s.p)
        return STR_NONE;
    char *p = arena_cstr(a, s);
    return p ? (struct str){p, s.n} : STR_NONE;
}

char *arena_cstr(struct arena *a, struct str s)
{
    char *p = s.n < SIZE_MAX ? arena_alloc(a, s.n + 1) : NULL;
    if (p && s.n > 0)
        memcpy(p, s.p, s.n);
    return p;
}

struct str arena_fmt(struct arena *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (p)
        (void)vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p ? (struct str){p, (size_t)n} : STR_NONE;
}
