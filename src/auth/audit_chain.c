// SPDX-License-Identifier: Apache-2.0
// Keyed hashes of the audit trail. What is hashed is written so that no two things give the same bytes: a word that
// says what it is, then every member with its length; an absent text has a length of its own.
#include "auth/audit_chain.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

enum { HEX_TEXT = 2 * AUDIT_MAC_BYTES + 1 };
_Static_assert((int)AUDIT_MAC_BYTES == (int)crypto_generichash_BYTES, "the chain is made of whole hashes");

void audit_key_of(const struct token_key *key, struct audit_key *ret) { token_key_derive(key, "audit", ret->bytes); }

static void begin(crypto_generichash_state *h, const struct audit_key *key, const char *what)
{
    must(crypto_generichash_init(h, key->bytes, sizeof key->bytes, AUDIT_MAC_BYTES) == 0);
    (void)crypto_generichash_update(h, (const unsigned char *)what, strlen(what) + 1);
}

static void add_number(crypto_generichash_state *h, int64_t v)
{
    unsigned char bytes[sizeof v];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)((uint64_t)v >> 8 * i);
    (void)crypto_generichash_update(h, bytes, sizeof bytes);
}

static void add_text(crypto_generichash_state *h, struct str s)
{
    add_number(h, s.p ? (int64_t)s.n : -1);
    if (s.n > 0)
        (void)crypto_generichash_update(h, (const unsigned char *)s.p, s.n);
}

static void end(crypto_generichash_state *h, uint8_t *ret)
{
    (void)crypto_generichash_final(h, ret, AUDIT_MAC_BYTES);
}

void audit_record_mac(const struct audit_key *key, const struct audit_record *r, uint8_t ret[static AUDIT_MAC_BYTES])
{
    struct audit_record own = *r;
    struct str *texts[AUDIT_TEXTS];
    crypto_generichash_state h;
    audit_record_texts(&own, texts);
    begin(&h, key, "record");
    (void)crypto_generichash_update(&h, r->id.b, sizeof r->id.b);
    (void)crypto_generichash_update(&h, r->actor_id.b, sizeof r->actor_id.b);
    add_number(&h, r->at.us);
    add_number(&h, r->outcome);
    for (size_t i = 0; i < AUDIT_TEXTS; i++)
        add_text(&h, *texts[i]);
    end(&h, ret);
}

void audit_chain_next(const struct audit_key *key, int64_t seq, const uint8_t mac[static AUDIT_MAC_BYTES],
                      const uint8_t before[static AUDIT_MAC_BYTES], uint8_t ret[static AUDIT_MAC_BYTES])
{
    crypto_generichash_state h;
    begin(&h, key, "chain");
    add_number(&h, seq);
    (void)crypto_generichash_update(&h, mac, AUDIT_MAC_BYTES);
    (void)crypto_generichash_update(&h, before, AUDIT_MAC_BYTES);
    end(&h, ret);
}

static void mark_mac(const struct audit_key *key, const struct audit_mark *m, uint8_t *ret)
{
    crypto_generichash_state h;
    begin(&h, key, "mark");
    add_number(&h, m->kind);
    add_number(&h, m->seq);
    add_number(&h, m->at.us);
    (void)crypto_generichash_update(&h, m->chain, sizeof m->chain);
    end(&h, ret);
}

void audit_mark_sign(const struct audit_key *key, struct audit_mark *m)
{
    m->at.us -= m->at.us % US_PER_S;
    mark_mac(key, m, m->mac);
}

bool audit_mark_holds(const struct audit_key *key, const struct audit_mark *m)
{
    uint8_t mac[AUDIT_MAC_BYTES];
    mark_mac(key, m, mac);
    return audit_mac_eq(mac, m->mac);
}

bool audit_mac_eq(const uint8_t a[static AUDIT_MAC_BYTES], const uint8_t b[static AUDIT_MAC_BYTES])
{
    return sodium_memcmp(a, b, AUDIT_MAC_BYTES) == 0;
}

// ---- lines -------------------------------------------------------------------------------------

const char *audit_mark_line(const struct audit_mark *m, char out[static AUDIT_LINE_MAX])
{
    char at[INSTANT_TEXT_MAX], chain[HEX_TEXT], mac[HEX_TEXT];
    (void)sodium_bin2hex(chain, sizeof chain, m->chain, sizeof m->chain);
    (void)sodium_bin2hex(mac, sizeof mac, m->mac, sizeof m->mac);
    (void)snprintf(out, AUDIT_LINE_MAX, "seq=%" PRId64 " at=%s chain=%s mac=%s", m->seq, instant_format(m->at, at),
                   chain, mac);
    return out;
}

// The value of the next word "name=value"; absent when it is another word.
static struct str word(struct str *line, const char *name)
{
    struct str rest, value;
    struct str one = str_split(*line, ' ', &rest);
    struct str key = str_split(one, '=', &value);
    *line = rest;
    return str_is(key, name) ? value : STR_NONE;
}

static bool hex(struct str s, uint8_t *ret)
{
    size_t n;
    return s.n == (size_t)2 * AUDIT_MAC_BYTES && sodium_hex2bin(ret, AUDIT_MAC_BYTES, s.p, s.n, NULL, &n, NULL) == 0 &&
           n == AUDIT_MAC_BYTES;
}

bool audit_mark_read(struct str line, struct audit_mark *ret)
{
    struct audit_mark m = {.kind = AUDIT_CHECKPOINT};
    struct str rest = str_trim(line);
    struct str seq = word(&rest, "seq"), at = word(&rest, "at"), chain = word(&rest, "chain");
    struct str mac = word(&rest, "mac");
    struct err ignored;
    if (!str_to_i64(seq, &m.seq) || !instant_parse(at, &m.at, &ignored) || !hex(chain, m.chain) || !hex(mac, m.mac))
        return false;
    *ret = m;
    return true;
}
