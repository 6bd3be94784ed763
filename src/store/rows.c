// SPDX-License-Identifier: Apache-2.0
// Shared by the stores: definition texts, filters, cursors. A cursor is the hexadecimal text of list, sort
// and direction (so that one list refuses another's), then key and id. It is not signed: it can only name a
// position.
#include "store/rows.h"

enum {
    DEFINITION_MAX = 2 * 1024 * 1024,
    CURSOR_TEXT_MAX = 2048,
    CURSOR_HEAD = 3,
    CURSOR_NUMBER = 8,
    CURSOR_ID = 16
};

const struct str run_cancelled_class = STR_INIT("CANCELLED");
const struct str run_cancelled_text = STR_INIT("cancelled before it started");
const struct str run_job_deleted_class = STR_INIT("JOB_DELETED");
const struct str run_job_deleted_text = STR_INIT("the job was deleted before it started");

const char *const job_sorts[] = {"id", "createdAt", "updatedAt", "nextFireTime", "name", NULL};
const char *const run_sorts[] = {"id", "scheduledTime", NULL};
const char *const dlq_sorts[] = {"id", NULL};
const char *const id_sorts[] = {"id", NULL};
const char *const audit_sorts[] = {"id", NULL};

bool job_text_write(const struct job *j, struct str *ret, struct arena *a, struct err *err)
{
    struct job lasting = *j;
    lasting.status = -1;
    lasting.version = lasting.run_count = FIELD_ABSENT;
    lasting.updated_at = lasting.next_fire_time = INSTANT_NEVER;
    lasting.last_run_id = ULID_ZERO;
    struct sbuf out;
    sbuf_init(&out, a, DEFINITION_MAX);
    field_encode(&job_fields, &lasting, FIELD_ENCODE_STORED, &out);
    if (!sbuf_ok(&out))
        return ERR(err, ERR_TOO_LARGE, "the definition of job \"%.*s\" is too large: shorten its payload",
                   STR_ARG(j->name));
    *ret = sbuf_str(&out);
    return true;
}

bool job_text_read(struct str text, struct job *ret, struct arena *a, struct err *err)
{
    json_t *v CLEANUP_JSON = NULL;
    struct err why;
    if (!json_parse(text, &v, &why))
        return ERR(err, ERR_CORRUPT, "a stored job cannot be read: %s", why.text);
    struct job j = {.id = ULID_ZERO};
    struct faults faults;
    faults_init(&faults, a);
    if (!field_decode(&job_fields, v, FIELD_DECODE_STORED, STR(""), &j, a, &faults))
        return ERR(err, ERR_CORRUPT, "a stored job cannot be read: \"%.*s\" %.*s",
                   STR_ARG(faults.v[0].pointer), STR_ARG(faults.v[0].detail));
    *ret = j;
    return true;
}

bool job_text_has_tag(struct str text, struct str tag)
{
    if (!str_contains(text, STR("\"tags\"")))
        return false;
    json_t *v CLEANUP_JSON = NULL;
    struct err ignored; // a row that cannot be read has no tags
    if (!json_parse(text, &v, &ignored))
        return false;
    const json_t *tags = json_object_get(v, "tags");
    for (size_t i = 0; i < json_array_size(tags); i++)
        if (str_eq(json_str(json_array_get(tags, i)), tag))
            return true;
    return false;
}

bool owner_among(struct ulid owner, const struct ulid *teams, size_t n, struct ulid of)
{
    bool among = ulid_is_zero(owner) || ulid_eq(owner, of);
    for (size_t i = 0; !among && i < n; i++)
        among = ulid_eq(teams[i], of);
    return among;
}

bool text_has_part(struct str text, struct str part)
{
    if (part.n == 0)
        return true;
    for (size_t i = 0; i + part.n <= text.n; i++)
        if (str_eq_nocase((struct str){text.p + i, part.n}, part))
            return true;
    return false;
}

void run_end_cancelled(struct run *r, struct instant now, bool job_deleted)
{
    must(run_may_move(r->status, RUN_CANCELLED));
    r->status = RUN_CANCELLED;
    r->end = now;
    r->error_class = job_deleted ? run_job_deleted_class : run_cancelled_class;
    r->error_message = job_deleted ? run_job_deleted_text : run_cancelled_text;
}

// ---- cursors -----------------------------------------------------------------------------------

static bool key_is_text(char list, int sort) { return list == 'j' && sort == JOB_SORT_NAME; }

// The place before every row. No name has this many of the highest character (JOB_NAME_MAX).
static void cursor_first(struct cursor *c)
{
    static char highest[4 * (JOB_NAME_MAX + 1)];
    if (!highest[0])
        for (size_t i = sizeof highest; i > 0; i--)
            highest[i - 1] = "\xF4\x8F\xBF\xBF"[(i - 1) % 4];
    c->number = c->ascending ? INT64_MIN : INT64_MAX;
    c->text = c->ascending ? STR("") : (struct str){highest, sizeof highest};
    memset(c->id.b, c->ascending ? 0x00 : 0xFF, sizeof c->id.b);
}

struct str cursor_write(const struct cursor *c, struct arena *a)
{
    static const char digits[] = "0123456789abcdef";
    struct sbuf raw, hex;
    sbuf_init(&raw, a, CURSOR_TEXT_MAX);
    sbuf_init(&hex, a, 2 * CURSOR_TEXT_MAX);
    sbuf_putc(&raw, c->list);
    sbuf_putc(&raw, (char)('0' + c->sort));
    sbuf_putc(&raw, c->ascending ? 'a' : 'd');
    for (int shift = 56; shift >= 0; shift -= 8)
        sbuf_putc(&raw, (char)(((uint64_t)c->number >> shift) & 0xFF));
    sbuf_put(&raw, str_of_n((const char *)c->id.b, sizeof c->id.b));
    if (key_is_text(c->list, c->sort))
        sbuf_put(&raw, c->text);
    for (size_t i = 0; i < raw.n; i++) {
        sbuf_putc(&hex, digits[(unsigned char)raw.p[i] >> 4]);
        sbuf_putc(&hex, digits[(unsigned char)raw.p[i] & 0xF]);
    }
    return sbuf_ok(&hex) && sbuf_ok(&raw) ? sbuf_str(&hex) : STR_NONE;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool cursor_read(struct str text, struct cursor *c, struct arena *a)
{
    size_t n = text.n / 2;
    unsigned char *raw = arena_alloc(a, n + 1);
    if (!raw || text.n % 2 || text.n > 2 * CURSOR_TEXT_MAX || n < CURSOR_HEAD + CURSOR_NUMBER + CURSOR_ID)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = hex_value(text.p[2 * i]), low = hex_value(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        raw[i] = (unsigned char)(high << 4 | low);
    }
    if (raw[0] != (unsigned char)c->list || raw[1] != '0' + c->sort || raw[2] != (c->ascending ? 'a' : 'd'))
        return false;
    uint64_t number = 0;
    for (size_t i = 0; i < CURSOR_NUMBER; i++)
        number = number << 8 | raw[CURSOR_HEAD + i];
    size_t fixed = CURSOR_HEAD + CURSOR_NUMBER + CURSOR_ID;
    struct str key = {(const char *)raw + fixed, n - fixed};
    if (key_is_text(c->list, c->sort) ? !str_utf8_valid(key) : key.n > 0)
        return false;
    c->number = (int64_t)number;
    memcpy(c->id.b, raw + CURSOR_HEAD + CURSOR_NUMBER, CURSOR_ID);
    c->text = key;
    return true;
}

int cursor_cmp(const struct cursor *a, const struct cursor *b)
{
    int order = key_is_text(a->list, a->sort) ? str_cmp(a->text, b->text)
                                              : (a->number > b->number) - (a->number < b->number);
    if (order == 0)
        order = ulid_cmp(a->id, b->id);
    return a->ascending ? order : -order;
}

static bool invalid(struct err *err, const char *field, const char *text)
{
    (void)ERR(err, ERR_INVALID, "%s", text);
    return err_at(err, field), false;
}

bool page_open(const struct page *p, char list, const char *const *sorts, struct cursor *ret_at,
               bool *ret_given, struct arena *a, struct err *err)
{
    if (p->size < 1 || p->size > PAGE_SIZE_MAX)
        return invalid(err, "/size", "\"size\" must be from 1 to 200");
    if (p->offset < 0 || p->offset > TOTAL_EXACT_MAX)
        return invalid(err, "/page",
                       "\"page\" reaches at most the first 10000 entries: use \"cursor\" beyond");
    struct cursor c = {.list = list, .ascending = p->ascending};
    if (p->sort.p) {
        while (sorts[c.sort] && !str_is(p->sort, sorts[c.sort]))
            c.sort++;
        if (!sorts[c.sort])
            return invalid(err, "/sort", "this list cannot be sorted by that field: use \"id\"");
    }
    cursor_first(&c);
    if (p->cursor.p && !cursor_read(p->cursor, &c, a))
        return invalid(err, "/cursor", "\"cursor\" does not belong to this list: start without one");
    *ret_at = c;
    *ret_given = p->cursor.p != NULL;
    return true;
}

void page_total(struct page_result *r, int64_t counted, bool complete)
{
    r->total = counted > TOTAL_EXACT_MAX ? TOTAL_EXACT_MAX : counted;
    r->total_is_estimate = !complete || counted > TOTAL_EXACT_MAX;
}

// ---- the cluster ---------------------------------------------------------------------------------

bool node_gone(struct err *err)
{
    return ERR(err, ERR_STALE, "the lease of this node has ended: it must register again");
}

// ---- retention ---------------------------------------------------------------------------------

enum { ID_TIME_BYTES = 6 };

bool run_filter_fits(const struct run_filter *f, int status, struct instant scheduled, int trigger, struct str worker,
                     struct str error_class)
{
    return (f->status < 0 || f->status == status) && (f->from.us == 0 || scheduled.us >= f->from.us) &&
           (f->to.us == 0 || scheduled.us < f->to.us) && (f->triggers == 0 || (f->triggers & 1u << trigger)) &&
           (!f->worker.p || str_eq(f->worker, worker)) && (!f->error_class.p || str_eq(f->error_class, error_class));
}

bool run_filter_narrow(const struct run_filter *f)
{
    return f->status >= 0 || f->from.us != 0 || f->to.us != 0 || f->triggers != 0 || f->worker.p || f->error_class.p;
}

struct ulid trim_bound(struct instant before)
{
    struct ulid id = ULID_ZERO;
    uint64_t ms = before.us > 0 ? (uint64_t)(before.us / US_PER_MS) : 0;
    if (ms >> 8 * ID_TIME_BYTES)
        ms = (UINT64_C(1) << 8 * ID_TIME_BYTES) - 1;
    for (int i = ID_TIME_BYTES; i > 0; i--, ms >>= 8)
        id.b[i - 1] = (uint8_t)ms;
    return id;
}

static int find_row(const struct trim_row *v, size_t n, struct ulid id)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = ulid_cmp(v[middle].id, id);
        if (order == 0)
            return (int)middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

// Attempts of one occurrence stand in any order, so the one behind may come later: looked at again until
// nothing more goes. Nearly always the second look is the last.
void trim_choose(struct trim_row *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        v[i].remove = false;
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < n; i++) {
            if (v[i].remove || !v[i].final || v[i].newest)
                continue;
            int behind = v[i].prev_exists ? find_row(v, n, v[i].prev) : -1;
            v[i].remove = !v[i].prev_exists || (behind >= 0 && v[behind].remove);
            again |= v[i].remove;
        }
    }
}
