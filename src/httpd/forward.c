// SPDX-License-Identifier: Apache-2.0
// X-Forwarded-For, X-Forwarded-Proto and Forwarded (RFC 7239) of trusted proxies. See forward.h.
#include "httpd/forward.h"

#include <arpa/inet.h>

enum { V4_AT = 12, V4_BITS = 32, ALL_BITS = 128, BYTE_BITS = 8 };

static bool address_read(struct str s, uint8_t out[static FORWARD_BYTES], int *ret_bits)
{
    char text[FORWARD_TEXT_MAX];
    uint8_t bytes[FORWARD_BYTES] = {0};
    if (s.n == 0 || s.n >= sizeof text)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    *ret_bits = ALL_BITS;
    if (inet_pton(AF_INET, text, bytes + V4_AT) == 1) {
        bytes[V4_AT - 1] = bytes[V4_AT - 2] = UINT8_MAX;
        *ret_bits = V4_BITS;
    } else if (inet_pton(AF_INET6, text, bytes) != 1) {
        return false;
    }
    memcpy(out, bytes, sizeof bytes);
    return true;
}

static bool net_read(struct str entry, struct forward_net *ret)
{
    struct str bits_text, address = str_split(entry, '/', &bits_text);
    int family_bits;
    int64_t bits;
    if (!address_read(address, ret->address, &family_bits))
        return false;
    bits = family_bits;
    if (bits_text.p && (!str_to_i64(bits_text, &bits) || bits < 0 || bits > family_bits))
        return false;
    ret->bits = (int)bits + ALL_BITS - family_bits;
    return true;
}

bool forward_parse(struct strs nets, bool standard, struct forward *ret, struct arena *a, struct err *err)
{
    if (nets.n == 0) {
        *ret = (struct forward){.standard = standard};
        return true;
    }
    struct forward f = {
        .v = arena_new_array(a, struct forward_net, nets.n), .n = nets.n, .standard = standard};
    if (nets.n > FORWARD_NETS_MAX || !f.v)
        return ERR(err, ERR_CONFIG, "http.trustedProxies: at most %d networks are allowed", FORWARD_NETS_MAX);
    for (size_t i = 0; i < nets.n; i++)
        if (!net_read(nets.v[i], &f.v[i]))
            return ERR(err, ERR_CONFIG,
                       "http.trustedProxies: \"%.*s\" is no network: give for example 10.0.0.0/8 or "
                       "192.0.2.7",
                       STR_ARG(nets.v[i]));
    *ret = f;
    return true;
}

static bool in_net(const struct forward_net *net, const uint8_t address[static FORWARD_BYTES])
{
    int whole = net->bits / BYTE_BITS, rest = net->bits % BYTE_BITS;
    if (memcmp(net->address, address, (size_t)whole) != 0)
        return false;
    return rest == 0 || ((net->address[whole] ^ address[whole]) >> (BYTE_BITS - rest)) == 0;
}

static bool trusted(const struct forward *f, const uint8_t address[static FORWARD_BYTES])
{
    bool found = false;
    for (size_t i = 0; i < f->n && !found; i++)
        found = in_net(&f->v[i], address);
    return found;
}

bool forward_trusts(const struct forward *f, struct str address)
{
    uint8_t bytes[FORWARD_BYTES];
    int bits;
    return address_read(address, bytes, &bits) && trusted(f, bytes);
}

// "192.0.2.7", "192.0.2.7:4711", "[2001:db8::1]:4711", "2001:db8::1", each perhaps in quotes: the address
// alone.
static struct str node_address(struct str s)
{
    s = str_trim(s);
    if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
        s = str_of_n(s.p + 1, s.n - 2);
    if (s.n > 0 && s.p[0] == '[') {
        size_t end = str_find(s, ']');
        return end < s.n ? str_of_n(s.p + 1, end - 1) : STR_NONE;
    }
    size_t colon = str_find(s, ':');
    struct str after = colon < s.n ? str_of_n(s.p + colon + 1, s.n - colon - 1) : STR_NONE;
    return after.p && str_find(after, ':') == after.n ? str_of_n(s.p, colon) : s;
}

// The value of a parameter of one Forwarded element: "for=…;proto=…".
static struct str parameter(struct str element, const char *name)
{
    while (element.p) {
        struct str value, rest, key = str_trim(str_split(str_split(element, ';', &rest), '=', &value));
        if (value.p && str_eq_nocase(key, str_of(name)))
            return str_trim(value);
        element = rest;
    }
    return STR_NONE;
}

// Takes the last element off a comma-separated list; false when nothing is left.
static bool take_last(struct str *list, struct str *ret)
{
    if (!list->p)
        return false;
    size_t at = list->n;
    while (at > 0 && list->p[at - 1] != ',')
        at--;
    *ret = str_trim(str_of_n(list->p + at, list->n - at));
    *list = at > 0 ? str_of_n(list->p, at - 1) : STR_NONE;
    return true;
}

static bool is_https(struct str proto)
{
    if (proto.n >= 2 && proto.p[0] == '"' && proto.p[proto.n - 1] == '"')
        proto = str_of_n(proto.p + 1, proto.n - 2);
    return str_eq_nocase(proto, STR("https"));
}

struct walk {
    const struct forward *f;
    uint8_t client[FORWARD_BYTES]; // the nearest hop that is known so far
    bool done;
};

static void step(struct walk *w, struct str element)
{
    uint8_t address[FORWARD_BYTES];
    int bits;
    struct str node = w->f->standard ? parameter(element, "for") : element;
    // "unknown", "_hidden" and nonsense end the way: who reported it is all that is known.
    if (!address_read(node_address(node), address, &bits)) {
        w->done = true;
        return;
    }
    memcpy(w->client, address, sizeof address);
    w->done = !trusted(w->f, address);
}

static void client_text(const uint8_t address[static FORWARD_BYTES], char out[static FORWARD_TEXT_MAX])
{
    struct in6_addr in6;
    memcpy(in6.s6_addr, address, FORWARD_BYTES);
    bool v4 = IN6_IS_ADDR_V4MAPPED(&in6);
    (void)inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? address + V4_AT : address, out, FORWARD_TEXT_MAX);
}

static void peer_is_client(struct str peer, struct forward_seen *ret)
{
    size_t n = peer.n < FORWARD_TEXT_MAX ? peer.n : FORWARD_TEXT_MAX - 1;
    *ret = (struct forward_seen){.https = false};
    if (n > 0)
        memcpy(ret->client, peer.p, n);
}

void forward_look(const struct forward *f, struct str peer, const struct str_map *headers,
                  struct forward_seen *ret)
{
    struct walk w = {.f = f};
    int bits;
    peer_is_client(peer, ret);
    if (f->n == 0 || !address_read(peer, w.client, &bits) || !trusted(f, w.client))
        return;
    bool proto_known = false;
    for (size_t i = headers->n; i-- > 0;) { // a header that stands there twice is one list
        struct str name = headers->v[i].key, list = headers->v[i].value, element;
        bool proto = !f->standard && str_is(name, "x-forwarded-proto");
        if (!proto && !str_is(name, f->standard ? "forwarded" : "x-forwarded-for"))
            continue;
        while (take_last(&list, &element)) {
            if ((proto || f->standard) && !proto_known) { // the nearest proxy's word
                ret->https = is_https(proto ? element : parameter(element, "proto"));
                proto_known = true;
            }
            if (!proto && !w.done)
                step(&w, element);
        }
    }
    client_text(w.client, ret->client);
}
