// SPDX-License-Identifier: Apache-2.0
// The audit trail in memory.
#include "store/memory/memory.h"
#include "store/notes.h"

static void record_put(struct mem *m, const struct audit_record *v)
{
    struct audit_record *own = mem_take(m, 1, sizeof *own);
    *own = *v;
    struct str *texts[AUDIT_TEXTS];
    audit_record_texts(own, texts);
    for (size_t i = 0; i < AUDIT_TEXTS; i++)
        *texts[i] = mem_text(m, *texts[i]);
    own->seq = 0;
    row_list_add(&m->audit_by_id, own);
}

void audit_put_notes(struct mem *m, const struct notes *v)
{
    for (const struct note *n = v->first; n; n = n->next)
        record_put(m, n->record);
}

void mem_audit_take(struct store *s, const struct audit_record *v, size_t n) { notes_add(s, v, n); }

void mem_audit_drop(struct store *s) { notes_drop(s); }

static struct audit_record *find(struct mem *m, struct ulid id)
{
    size_t at = row_list_after(&m->audit_by_id, id);
    struct audit_record *r = at > 0 ? m->audit_by_id.v[at - 1] : NULL;
    return r && ulid_eq(r->id, id) ? r : NULL;
}

bool mem_audit_append(struct store *s, const struct audit_record *v, size_t n, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "audit_append", true, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (find(c.m, v[i].id))
            return call_end(&c, ERR(err, ERR_CONFLICT, "a record with this id exists already"), err);
    for (size_t i = 0; i < n; i++)
        record_put(c.m, &v[i]);
    return call_end(&c, true, err);
}

bool mem_audit_get(struct store *s, struct ulid id, struct audit_record *ret, struct arena *a, struct err *err)
{
    (void)a; // texts of this store never change
    struct mem_call c;
    char text[ULID_TEXT_MAX];
    if (!call_begin(&c, s, "audit_get", false, err))
        return false;
    const struct audit_record *r = find(c.m, id);
    if (!r)
        return call_end(
            &c, ERR(err, ERR_NOT_FOUND, "audit record \"%s\" does not exist", ulid_format(id, text)), err);
    *ret = *r;
    return call_end(&c, true, err);
}

static bool same_or_any(struct str wanted, struct str is) { return !wanted.p || str_eq(wanted, is); }

static bool matches(const struct audit_record *r, const struct audit_filter *f)
{
    return same_or_any(f->entity_type, r->entity_type) && same_or_any(f->entity_id, r->entity_id) &&
           same_or_any(f->action, r->action) && same_or_any(f->actor, r->actor) &&
           (ulid_is_zero(f->actor_id) || ulid_eq(f->actor_id, r->actor_id)) &&
           (f->outcome < 0 || f->outcome == r->outcome) && (f->from.us <= 0 || r->at.us >= f->from.us) &&
           (f->before.us <= 0 || r->at.us < f->before.us);
}

static bool list_answer(struct mem *m, const struct audit_filter *f, const struct page *p, const struct cursor *at,
                        bool given, struct audit_record **ret, size_t *ret_n, struct page_result *ret_page,
                        struct arena *a, struct err *err)
{
    struct audit_record *out = arena_new_array(a, struct audit_record, (size_t)p->size);
    if (!out)
        return ERR(err, ERR_UNAVAILABLE, "no memory for a page of audit records");
    struct pager pager = {.skip = given ? 0 : p->offset, .size = p->size};
    struct cursor last = *at;
    int64_t total = 0;
    for (size_t i = 0, n = m->audit_by_id.n; i < n; i++) {
        const struct audit_record *r = m->audit_by_id.v[p->ascending ? i : n - 1 - i];
        if (!matches(r, f))
            continue;
        total++;
        int order = ulid_cmp(r->id, at->id);
        bool past = !given || (p->ascending ? order > 0 : order < 0);
        if (past && !pager.more && pager_next(&pager) == PAGE_TAKE) {
            out[pager.n - 1] = *r;
            last.id = r->id;
        }
    }
    page_total(ret_page, total, true);
    ret_page->next_cursor = pager.more ? cursor_write(&last, a) : STR_NONE;
    *ret = out;
    *ret_n = pager.n;
    return true;
}

bool mem_audit_list(struct store *s, const struct audit_filter *f, const struct page *p, struct audit_record **ret,
                    size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
{
    struct cursor at;
    bool given;
    struct mem_call c;
    if (!page_open(p, 'a', audit_sorts, &at, &given, a, err) || !call_begin(&c, s, "audit_list", false, err))
        return false;
    return call_end(&c, list_answer(c.m, f, p, &at, given, ret, ret_n, ret_page, a, err), err);
}

// ---- the chain ---------------------------------------------------------------------------------

bool mem_audit_unsealed(struct store *s, struct ulid after, size_t max, struct audit_record **ret, size_t *ret_n,
                        struct arena *a, struct err *err)
{
    struct mem_call c;
    size_t n = 0;
    struct audit_record *v = arena_new_array(a, struct audit_record, max);
    if (!v)
        return ERR(err, ERR_UNAVAILABLE, "no memory for a page of audit records");
    if (!call_begin(&c, s, "audit_unsealed", false, err))
        return false;
    for (size_t i = row_list_after(&c.m->audit_by_id, after); i < c.m->audit_by_id.n && n < max; i++) {
        const struct audit_record *r = c.m->audit_by_id.v[i];
        if (r->seq == 0)
            v[n++] = *r;
    }
    *ret = v;
    *ret_n = n;
    return call_end(&c, true, err);
}

static int by_seq(const void *a, const void *b)
{
    const struct audit_record *x = a, *y = b;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

bool mem_audit_chain(struct store *s, int64_t after, size_t max, struct audit_record **ret, size_t *ret_n,
                     struct arena *a, struct err *err)
{
    struct mem_call c;
    size_t n = 0;
    if (!call_begin(&c, s, "audit_chain", false, err))
        return false;
    struct audit_record *v = arena_new_array(a, struct audit_record, c.m->audit_by_id.n + 1);
    if (!v)
        return call_end(&c, ERR(err, ERR_UNAVAILABLE, "no memory for a page of audit records"), err);
    for (size_t i = 0; i < c.m->audit_by_id.n; i++) {
        const struct audit_record *r = c.m->audit_by_id.v[i];
        if (r->seq > after)
            v[n++] = *r;
    }
    if (n > 1)
        qsort(v, n, sizeof *v, by_seq);
    *ret = v;
    *ret_n = n < max ? n : max;
    return call_end(&c, true, err);
}

static struct audit_mark *mark_find(struct mem *m, int kind)
{
    struct audit_mark *v = m->audit_marks.v;
    for (size_t i = 0; i < m->audit_marks.n; i++)
        if (v[i].kind == kind)
            return &v[i];
    return NULL;
}

static bool mark_is(const struct audit_mark *m, const struct audit_mark *expect)
{
    return m ? m->seq == expect->seq && memcmp(m->chain, expect->chain, sizeof m->chain) == 0 : expect->seq == 0;
}

static void mark_put(struct mem *m, const struct audit_mark *v)
{
    struct audit_mark *own = v->kind == AUDIT_CHECKPOINT ? NULL : mark_find(m, v->kind);
    if (!own)
        own = mem_rows_add(&m->audit_marks);
    *own = *v;
}

static bool seal(struct mem *m, const struct audit_seal *w, struct err *err)
{
    if (!mark_is(mark_find(m, AUDIT_HEAD), &w->expect))
        return ERR(err, ERR_STALE, "another node has sealed meanwhile");
    for (size_t i = 0; i < w->n; i++) {
        const struct audit_record *r = find(m, w->records[i].id);
        if (!r || r->seq != 0)
            return ERR(err, ERR_STALE, "a record was sealed meanwhile");
    }
    for (size_t i = 0; i < w->n; i++) {
        struct audit_record *r = find(m, w->records[i].id);
        r->seq = w->records[i].seq;
        memcpy(r->chain, w->records[i].chain, sizeof r->chain);
    }
    mark_put(m, &w->head);
    if (w->checkpoint)
        mark_put(m, w->checkpoint);
    return true;
}

bool mem_audit_seal(struct store *s, const struct audit_seal *w, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "audit_seal", true, err) && call_end(&c, seal(c.m, w, err), err);
}

static int mark_order(const void *a, const void *b)
{
    const struct audit_mark *x = a, *y = b;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

bool mem_audit_marks(struct store *s, int kind, int64_t after, size_t max, struct audit_mark **ret, size_t *ret_n,
                     struct arena *a, struct err *err)
{
    struct mem_call c;
    size_t n = 0;
    if (!call_begin(&c, s, "audit_marks", false, err))
        return false;
    const struct audit_mark *all = c.m->audit_marks.v;
    struct audit_mark *v = arena_new_array(a, struct audit_mark, c.m->audit_marks.n + 1);
    if (!v)
        return call_end(&c, ERR(err, ERR_UNAVAILABLE, "no memory for marks of the audit trail"), err);
    for (size_t i = 0; i < c.m->audit_marks.n; i++)
        if (all[i].kind == kind && all[i].seq > after)
            v[n++] = all[i];
    if (n > 1)
        qsort(v, n, sizeof *v, mark_order);
    *ret = v;
    *ret_n = n < max ? n : max;
    return call_end(&c, true, err);
}

static bool trim(struct mem *m, const struct audit_mark *expect, const struct audit_mark *anchor, struct err *err)
{
    if (!mark_is(mark_find(m, AUDIT_ANCHOR), expect))
        return ERR(err, ERR_STALE, "another node has moved the anchor meanwhile");
    for (size_t i = m->audit_by_id.n; i-- > 0;) {
        const struct audit_record *r = m->audit_by_id.v[i];
        if (r->seq > 0 && r->seq <= anchor->seq)
            row_list_remove(&m->audit_by_id, r->id);
    }
    const struct audit_mark *v = m->audit_marks.v;
    for (size_t i = m->audit_marks.n; i-- > 0;)
        if (v[i].kind == AUDIT_CHECKPOINT && v[i].seq < anchor->seq)
            mem_rows_remove(&m->audit_marks, i, 1);
    mark_put(m, anchor);
    return true;
}

bool mem_audit_trim(struct store *s, const struct audit_mark *expect, const struct audit_mark *anchor, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "audit_trim", true, err) && call_end(&c, trim(c.m, expect, anchor, err), err);
}
