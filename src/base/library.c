// SPDX-License-Identifier: Apache-2.0
// dlopen with a table of symbols. Two threads may load one library at once: both find the same addresses.
#include "base/library.h"

#include <dlfcn.h>
#include <stdatomic.h>

bool library_need(struct library *l, struct err *err)
{
    if (atomic_load_explicit(&l->handle, memory_order_acquire))
        return true;
    void *handle = dlopen(l->file, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return ERR(err, ERR_UNAVAILABLE, "library \"%s\" is not there; install the package %s", l->file,
                   l->package);
    for (size_t i = 0; i < l->n; i++) {
        void *at = dlsym(handle, l->symbols[i].name);
        if (!at) {
            dlclose(handle);
            return ERR(err, ERR_UNAVAILABLE,
                       "library \"%s\" has no function \"%s\"; install a newer package %s", l->file,
                       l->symbols[i].name, l->package);
        }
        __atomic_store_n(l->symbols[i].place, at, __ATOMIC_RELAXED);
    }
    atomic_store_explicit(&l->handle, handle, memory_order_release);
    return true;
}

bool library_there(struct library *l)
{
    struct err err;
    return library_need(l, &err);
}
