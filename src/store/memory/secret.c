// SPDX-License-Identifier: Apache-2.0
// Secrets in memory, sealed before they come here.
#include "base/mem.h"
#include "store/memory/account.h"

static struct ulid secret_key(struct ulid scope, struct str name)
{
    char bytes[sizeof scope.b + SECRET_NAME_MAX];
    must(name.n <= SECRET_NAME_MAX);
    memcpy(bytes, scope.b, sizeof scope.b);
    memcpy(bytes + sizeof scope.b, name.p, name.n);
    return map_key(bytes, sizeof scope.b + name.n);
}

static bool no_such_secret(struct str name, struct err *err)
{
    return ERR(err, ERR_NOT_FOUND, "secret \"%.*s\" does not exist", STR_ARG(name));
}

bool mem_secret_put(struct store *s, const struct secret *v, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "secret_put", true, err))
        return false;
    struct ulid key = secret_key(v->scope, v->name);
    struct secret *own = map_get(&c.m->secrets, key);
    if (!own) {
        own = mem_take(c.m, 1, sizeof *own);
        *own = *v;
        own->name = mem_text(c.m, v->name);
        own->shared = ulid_is_zero(v->scope);
        (void)map_put(&c.m->secrets, key, own);
    }
    own->owner_id = v->owner_id;
    own->updated_at = v->updated_at;
    own->sealed = mem_text(c.m, v->sealed);
    return call_end(&c, true, err);
}

bool mem_secret_get(struct store *s, struct ulid scope, struct str name, struct secret *ret, struct arena *a,
                    struct err *err)
{
    (void)a; // texts of this store never change
    struct mem_call c;
    if (!call_begin(&c, s, "secret_get", false, err))
        return false;
    const struct secret *v = map_get(&c.m->secrets, secret_key(scope, name));
    if (!v)
        return call_end(&c, no_such_secret(name, err), err);
    *ret = *v;
    return call_end(&c, true, err);
}

static int order(const void *a, const void *b)
{
    const struct secret *x = a, *y = b;
    int c = ulid_cmp(x->scope, y->scope);
    return c ? c : str_cmp(x->name, y->name);
}

bool mem_secrets_page(struct store *s, struct ulid scope, struct str after, bool all, size_t max,
                      struct secret **ret, size_t *ret_n, struct arena *a, struct err *err)
{
    struct secret from = {.scope = scope, .name = after};
    struct mem_call c;
    size_t n = 0;
    void *v;
    if (!call_begin(&c, s, "secrets_page", false, err))
        return false;
    struct secret *out = arena_new_array(a, struct secret, c.m->secrets.n);
    if (!out)
        return call_end(&c, ERR(err, ERR_UNAVAILABLE, "no memory for a page of secrets"), err);
    for (size_t i = 0; (i = map_next(&c.m->secrets, i, &v));) {
        const struct secret *one = v;
        if (order(one, &from) > 0 && (all || ulid_eq(one->scope, scope)))
            out[n++] = *one;
    }
    if (n > 1)
        qsort(out, n, sizeof *out, order);
    *ret = out;
    *ret_n = n < max ? n : max;
    return call_end(&c, true, err);
}

bool mem_secret_reseal(struct store *s, const struct secret *v, struct str expect, bool *ret_done,
                       struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "secret_reseal", true, err))
        return false;
    struct secret *own = map_get(&c.m->secrets, secret_key(v->scope, v->name));
    *ret_done = own && str_eq(own->sealed, expect);
    if (*ret_done)
        own->sealed = mem_text(c.m, v->sealed);
    else
        write_was_idle();
    return call_end(&c, true, err);
}

bool mem_secret_delete(struct store *s, struct ulid scope, struct str name, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "secret_delete", true, err))
        return false;
    bool was = map_remove(&c.m->secrets, secret_key(scope, name)) != NULL;
    return call_end(&c, was || no_such_secret(name, err), err);
}

void secrets_remove(struct mem *m, struct ulid scope)
{
    void *v;
    for (size_t i = 0; (i = map_next(&m->secrets, i, &v));) {
        const struct secret *s = v;
        if (!ulid_eq(s->scope, scope))
            continue;
        (void)map_remove(&m->secrets, secret_key(s->scope, s->name));
        i = 0; // removing moves slots
    }
}
