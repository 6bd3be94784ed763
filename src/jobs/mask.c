// SPDX-License-Identifier: Apache-2.0
// Finding the forms of an attempt's secrets in its texts. A text is scanned once; only at characters that a
// form can begin with anything is compared.
#include "jobs/mask.h"

#include <sodium.h>

#include "base/mem.h"
#include "base/sync.h"
#include "jobs/mask_form.h"

enum {
    ALIGNMENTS = 3,
    LINES_MAX = 256,
    LINE_MIN = 8,
    STEPS_FIRST = 1 << 20, // a text that costs more than these and
    STEPS_EACH = 64,       // so many for each character is hidden as a whole
    TAIL_MAX = 256 * 1024,
    BYTE_BITS = 8,
    DIGIT_BITS = 6,
};
static const struct str shown = STR_INIT("***");

struct tail { // the end of the text before, from where a form may have begun
    char *p;
    size_t n;
};

struct mask {
    struct mutex lock;
    struct form *forms;
    size_t n, cap, secrets;
    bool begins[256];
    struct tail tails[MASK_STREAMS];
};

struct mask *mask_new(void)
{
    struct mask *m = mem_new(struct mask);
    mutex_init(&m->lock, LOCK_MASK);
    return m;
}

static void wipe_free(char *p, size_t n)
{
    if (p)
        sodium_memzero(p, n);
    mem_free(p);
}

void mask_free(struct mask *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n; i++)
        wipe_free((char *)m->forms[i].bytes.p, m->forms[i].bytes.n);
    for (size_t i = 0; i < MASK_STREAMS; i++)
        wipe_free(m->tails[i].p, m->tails[i].n);
    mem_free(m->forms);
    mutex_release(&m->lock);
    mem_free(m);
}

// ---- forms -------------------------------------------------------------------------------------

static bool known(const struct mask *m, enum form_kind kind, struct str bytes)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->forms[i].kind == kind && str_eq(m->forms[i].bytes, bytes))
            return true;
    return false;
}

static void form_add(struct mask *m, enum form_kind kind, struct str bytes)
{
    if (bytes.n < MASK_PART_MIN || known(m, kind, bytes))
        return;
    if (m->n == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 8;
        m->forms = mem_resize(m->forms, m->cap, sizeof *m->forms);
    }
    char *own = mem_array(bytes.n, 1);
    memcpy(own, bytes.p, bytes.n);
    struct form *f = &m->forms[m->n++];
    *f = (struct form){.kind = kind, .bytes = {own, bytes.n}};
    for (int c = 0; c < 256; c++)
        m->begins[c] |= form_begins(f, (char)c);
}

// The characters that only the secret decides when `before` bytes stand in front of it.
static void base64_add(struct mask *m, struct str secret, size_t before)
{
    size_t n = before + secret.n, max = sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL);
    uint8_t *bytes = mem_array(n, 1);
    char *text = mem_array(max, 1);
    memcpy(bytes + before, secret.p, secret.n);
    sodium_bin2base64(text, max, bytes, n, sodium_base64_VARIANT_ORIGINAL);
    size_t from = (before * BYTE_BITS + DIGIT_BITS - 1) / DIGIT_BITS, to = n * BYTE_BITS / DIGIT_BITS;
    form_add(m, FORM_BASE64, (struct str){text + from, to - from});
    wipe_free((char *)bytes, n);
    wipe_free(text, max);
}

static void lines_add(struct mask *m, struct str secret)
{
    int lines = 0;
    if (!memchr(secret.p, '\n', secret.n))
        return;
    for (struct str line, rest = secret; rest.n > 0 && lines < LINES_MAX; lines++) {
        line = str_trim(str_split(rest, '\n', &rest));
        if (line.n >= LINE_MIN)
            form_add(m, FORM_PLAIN, line);
    }
}

bool mask_add(struct mask *m, struct str secret)
{
    WITH_LOCK(&m->lock);
    if (secret.n < MASK_PART_MIN || known(m, FORM_PLAIN, secret))
        return true;
    if (m->secrets == MASK_SECRETS_MAX)
        return false;
    m->secrets++;
    form_add(m, FORM_PLAIN, secret);
    form_add(m, FORM_HEX, secret);
    for (size_t before = 0; before < ALIGNMENTS; before++)
        base64_add(m, secret, before);
    lines_add(m, secret);
    return true;
}

// ---- scanning ----------------------------------------------------------------------------------

struct scan {
    const struct mask *m;
    struct str text;
    size_t skip; // so much of the text has been told before
    struct sbuf *out;
    size_t copied; // so much of the text is in *out or left out
    size_t tail;   // where a form may have begun that does not end here; text.n: nowhere
    size_t steps;
    bool found;
};

// Everything to `from` is copied, everything to `to` is hidden.
static void hide(struct scan *s, size_t from, size_t to)
{
    size_t first = s->copied > s->skip ? s->copied : s->skip;
    if (to <= first)
        return;
    if (from > first)
        sbuf_put(s->out, (struct str){s->text.p + first, from - first});
    sbuf_put(s->out, shown);
    s->copied = to;
    s->found = true;
}

// How much is to be hidden from this place on: the longest whole form, or all when enough of one runs to the
// end.
static size_t longest(struct scan *s, size_t at)
{
    size_t best = 0, n;
    struct str text = {s->text.p + at, s->text.n - at};
    for (size_t i = 0; i < s->m->n; i++) {
        int found = form_match(&s->m->forms[i], text, &n, &s->steps);
        if (found == FORM_PART && s->tail == s->text.n)
            s->tail = at;
        if (found == FORM_PART)
            n = n >= MASK_PART_MIN ? text.n : 0;
        if (found != FORM_NONE && n > best)
            best = n;
    }
    return best;
}

static void scan_text(struct scan *s)
{
    size_t budget = STEPS_FIRST + STEPS_EACH * s->text.n;
    for (size_t at = 0; at < s->text.n;) {
        size_t n = s->m->begins[(unsigned char)s->text.p[at]] ? longest(s, at) : 0;
        if (s->steps > budget) {
            hide(s, s->skip, s->text.n);
            return;
        }
        if (n > 0)
            hide(s, at, at + n);
        at += n > 0 ? n : 1;
    }
}

static void tail_keep(struct tail *t, const struct scan *s)
{
    size_t n = s->text.n - s->tail;
    char *p = NULL;
    if (n > 0 && n <= TAIL_MAX) {
        p = mem_array(n, 1);
        memcpy(p, s->text.p + s->tail, n);
    }
    wipe_free(t->p, t->n);
    *t = (struct tail){p, p ? n : 0};
}

struct str mask_text(struct mask *m, int stream, struct str text, struct sbuf *scratch)
{
    if (text.n == 0)
        return text;
    WITH_LOCK(&m->lock);
    struct tail *t = stream >= 0 && stream < MASK_STREAMS ? &m->tails[stream] : NULL;
    size_t before = t ? t->n : 0, n = before + text.n;
    char *joined = before ? mem_array(n, 1) : NULL;
    if (joined) {
        memcpy(joined, t->p, before);
        memcpy(joined + before, text.p, text.n);
    }
    struct scan s = {
        .m = m, .text = {joined ? joined : text.p, n}, .skip = before, .out = scratch, .tail = n};
    scan_text(&s);
    size_t first = s.copied > s.skip ? s.copied : s.skip;
    if (s.found && first < n)
        sbuf_put(scratch, (struct str){s.text.p + first, n - first});
    if (t)
        tail_keep(t, &s);
    if (joined)
        wipe_free(joined, n);
    if (!s.found)
        return text;
    return sbuf_ok(scratch) ? sbuf_str(scratch) : shown;
}
