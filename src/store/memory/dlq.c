// SPDX-License-Identifier: Apache-2.0
// Dead letters in memory.
#include "store/memory/memory.h"

static bool no_such_letter(struct ulid id, struct err *err)
{
    char text[ULID_TEXT_MAX];
    return ERR(err, ERR_NOT_FOUND, "dead letter \"%s\" does not exist", ulid_format(id, text));
}

bool mem_dlq_get(struct store *s, struct ulid id, struct dead_letter *ret, struct arena *a, struct err *err)
{
    (void)a; // texts of this store never change
    struct mem_call c;
    if (!call_begin(&c, s, "dlq_get", false, err))
        return false;
    const struct dead_letter *d = map_get(&c.m->dlq, id);
    if (!d)
        return call_end(&c, no_such_letter(id, err), err);
    *ret = *d;
    return call_end(&c, true, err);
}

static bool resolve(struct mem *m, struct ulid id, struct str by, struct str reason, struct run *replay,
                    struct str definition, struct instant now, struct err *err)
{
    char text[ULID_TEXT_MAX];
    struct dead_letter *d = map_get(&m->dlq, id);
    if (!d)
        return no_such_letter(id, err);
    if (d->resolved)
        return ERR(err, ERR_CONFLICT, "dead letter \"%s\" is resolved already", ulid_format(id, text));
    struct job_row *j = replay ? job_live(m, replay->job_id) : NULL;
    if (replay && !j)
        return ERR(err, ERR_NOT_FOUND, "job \"%s\" does not exist", ulid_format(replay->job_id, text));
    if (replay && run_taken(m, replay->id))
        return ERR(err, ERR_CONFLICT, "run \"%s\" exists already", ulid_format(replay->id, text));
    if (replay) {
        run_chain(m, j, replay);
        change_add(m, CHANGE_RUN, replay->id, 0);
    }
    d->resolved = true;
    d->resolved_at = now;
    d->resolved_by = mem_text(m, by);
    d->resolution = mem_text(m, reason);
    d->replay_run_id = replay ? replay->id : ULID_ZERO;
    d->replay_definition = mem_text(m, definition);
    return true;
}

bool mem_dlq_resolve(struct store *s, struct ulid id, struct str by, struct str reason, struct run *replay,
                     struct str definition, struct instant now, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "dlq_resolve", true, err) &&
           call_end(&c, resolve(c.m, id, by, reason, replay, definition, now, err), err);
}

static bool letter_matches(struct mem *m, const struct dead_letter *d, const struct dlq_filter *f)
{
    const struct job_row *j = map_get(&m->jobs, d->job_id);
    return (f->resolved < 0 || d->resolved == (f->resolved == 1)) &&
           (ulid_is_zero(f->job_id) || ulid_eq(f->job_id, d->job_id)) &&
           (!f->error_class.p || str_eq(f->error_class, d->error_class)) &&
           (f->before.us <= 0 || d->created_at.us < f->before.us) &&
           owner_among(f->owner_id, f->teams, f->n_teams, j ? j->owner_id : ULID_ZERO);
}

static bool list_answer(struct mem *m, const struct dlq_filter *f, const struct page *p,
                        const struct cursor *at, bool given, struct dead_letter **ret, size_t *ret_n,
                        struct page_result *ret_page, struct arena *a, struct err *err)
{
    struct dead_letter *out = arena_new_array(a, struct dead_letter, (size_t)p->size);
    if (!out)
        return ERR(err, ERR_UNAVAILABLE, "no memory for a page of dead letters");
    struct pager pager = {.skip = given ? 0 : p->offset, .size = p->size};
    struct cursor last = *at;
    int64_t total = 0;
    for (size_t i = 0, n = m->dlq_by_id.n; i < n; i++) {
        const struct dead_letter *d = m->dlq_by_id.v[p->ascending ? i : n - 1 - i];
        if (!letter_matches(m, d, f))
            continue;
        total++;
        int order = ulid_cmp(d->id, at->id);
        bool past = !given || (p->ascending ? order > 0 : order < 0);
        if (past && !pager.more && pager_next(&pager) == PAGE_TAKE) {
            out[pager.n - 1] = *d;
            last.id = d->id;
        }
    }
    page_total(ret_page, total, true);
    ret_page->next_cursor = pager.more ? cursor_write(&last, a) : STR_NONE;
    *ret = out;
    *ret_n = pager.n;
    return true;
}

bool mem_dlq_list(struct store *s, const struct dlq_filter *f, const struct page *p, struct dead_letter **ret,
                  size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
{
    struct cursor at;
    bool given;
    struct mem_call c;
    if (!page_open(p, 'd', dlq_sorts, &at, &given, a, err) || !call_begin(&c, s, "dlq_list", false, err))
        return false;
    return call_end(&c, list_answer(c.m, f, p, &at, given, ret, ret_n, ret_page, a, err), err);
}
