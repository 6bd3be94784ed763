// SPDX-License-Identifier: Apache-2.0
// SSRF guard: networks as 128-bit prefixes, IPv4 as ::ffff:0:0/96, longest match decides.
//
// An IPv6 address can be a wrapper that a router or the kernel unpacks to an IPv4 address; such an address
// must pass as itself and as every IPv4 address that it may carry. Sources: RFC 4291 (mapped, compatible),
// RFC 2765 (translated), RFC 6052 and 8215 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo), RFC 5214 (ISATAP).
// The metadata list holds the addresses on which clouds answer with credentials: AWS, GCP, Azure, Oracle,
// Alibaba.
#include "net/egress.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum {
    BITS_MAX = 128,
    V4_BITS = 32,
    V4_OFFSET = 12,      // of the IPv4 bytes in a mapped address
    V4_PREFIX_BITS = 96, // of ::ffff:0:0/96
    ADDRESS_BYTES = 16,
    CARRIED_MAX = 6,     // IPv4 addresses that one IPv6 address may carry
};

struct word {
    const char *name;
    const char *nets[10]; // NULL-terminated
    bool always;          // denied without being asked
};
static const struct word words[] = {
    {"all", {"::/0"}, false},
    {"loopback", {"127.0.0.0/8", "::1"}, false},
    {"private", {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7",
                 "fec0::/10"}, false},
    {"link-local", {"169.254.0.0/16", "fe80::/10"}, true},
    {"metadata", {"169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254",
                  "fd20:ce::254"}, true},
    {"multicast", {"224.0.0.0/3", "ff00::/8"}, true}, // with reserved 240/4 and broadcast
    {"unspecified", {"0.0.0.0/8", "::"}, true},       // connects to this host
};
enum { WORDS = sizeof words / sizeof words[0], NETS_BUILT_IN_MAX = WORDS * 10 };

// ---- reading ----

static bool address_read(const char *text, struct egress_net *ret, int *ret_family)
{
    uint8_t a[ADDRESS_BYTES] = {0};
    if (inet_pton(AF_INET, text, a + V4_OFFSET) == 1) {
        a[V4_OFFSET - 2] = a[V4_OFFSET - 1] = UINT8_MAX;
        *ret_family = AF_INET;
    } else if (inet_pton(AF_INET6, text, a) == 1) {
        *ret_family = AF_INET6;
    } else {
        return false;
    }
    memcpy(ret->address, a, sizeof a);
    return true;
}

static bool net_read(struct str entry, struct egress_net *ret)
{
    char text[INET6_ADDRSTRLEN];
    struct str bits_text, address = str_split(entry, '/', &bits_text);
    int family;
    if (address.n >= sizeof text)
        return false;
    memcpy(text, address.p, address.n);
    text[address.n] = '\0';
    struct egress_net net;
    if (!address_read(text, &net, &family))
        return false;
    int64_t most = family == AF_INET ? V4_BITS : BITS_MAX, bits = most;
    if (bits_text.p && (!str_to_i64(bits_text, &bits) || bits < 0 || bits > most))
        return false;
    net.bits = (int)bits + (family == AF_INET ? V4_PREFIX_BITS : 0);
    *ret = net;
    return true;
}

// Appends the nets of one entry; false when it is neither a word nor a network.
static bool entry_add(struct egress_nets *nets, struct str entry)
{
    for (size_t i = 0; i < WORDS; i++) {
        if (!str_eq_nocase(entry, str_of(words[i].name)))
            continue;
        for (const char *const *n = words[i].nets; *n; n++)
            must(net_read(str_of(*n), &nets->v[nets->n++]));
        return true;
    }
    struct egress_net net;
    if (!net_read(entry, &net))
        return false;
    nets->v[nets->n++] = net;
    return true;
}

static bool nets_read(struct strs entries, bool with_always, struct egress_nets *ret, struct arena *a,
                      struct err *err)
{
    enum { NETS_PER_ENTRY = 10 };
    if (entries.n > EGRESS_NETS_MAX)
        return ERR(err, ERR_CONFIG, "more than %d egress networks", EGRESS_NETS_MAX);
    struct egress_nets nets = {
        .v = arena_new_array(a, struct egress_net, entries.n * NETS_PER_ENTRY + NETS_BUILT_IN_MAX),
    };
    if (!nets.v)
        return ERR(err, ERR_TOO_LARGE, "no memory for the list of egress networks");
    for (size_t i = 0; with_always && i < WORDS; i++)
        if (words[i].always)
            must(entry_add(&nets, str_of(words[i].name)));
    for (size_t i = 0; i < entries.n; i++)
        if (!entry_add(&nets, str_trim(entries.v[i])))
            return ERR(err, ERR_CONFIG,
                       "\"%.*s\" is not an egress network: write a network such as \"10.0.0.0/8\", an "
                       "address, or one of all, loopback, private, link-local, metadata, multicast, unspecified",
                       STR_ARG(entries.v[i]));
    *ret = nets;
    return true;
}

bool egress_parse(struct strs denied, struct strs allowed, struct egress *ret, struct arena *a,
                  struct err *err)
{
    struct egress e;
    if (!nets_read(denied, true, &e.denied, a, err) || !nets_read(allowed, false, &e.allowed, a, err))
        return false;
    *ret = e;
    return true;
}

// ---- judging ----

static bool net_covers(const struct egress_net *net, const uint8_t address[static ADDRESS_BYTES])
{
    enum { BITS_PER_BYTE = 8 };
    size_t whole = (size_t)net->bits / BITS_PER_BYTE;
    int rest = net->bits % BITS_PER_BYTE;
    if (memcmp(net->address, address, whole) != 0)
        return false;
    return rest == 0 || ((net->address[whole] ^ address[whole]) >> (BITS_PER_BYTE - rest)) == 0;
}

// Prefix length of the longest net that covers the address, −1 when none does.
static int longest_match(const struct egress_nets *nets, const uint8_t address[static ADDRESS_BYTES])
{
    int best = -1;
    for (size_t i = 0; i < nets->n; i++)
        if (nets->v[i].bits > best && net_covers(&nets->v[i], address))
            best = nets->v[i].bits;
    return best;
}

static bool address_permitted(const struct egress *e, const uint8_t address[static ADDRESS_BYTES])
{
    int denied = longest_match(&e->denied, address);
    return denied < 0 || longest_match(&e->allowed, address) >= denied;
}

struct carried {
    uint8_t v[CARRIED_MAX][4];
    size_t n;
};

// 0.x.y.z as content means "not this form": the zero bytes of ::1 or of another NAT64 prefix length.
static void carried_add(struct carried *c, uint8_t b0, uint8_t b1, uint8_t b2, uint8_t b3)
{
    if (b0 == 0)
        return;
    must(c->n < CARRIED_MAX);
    memcpy(c->v[c->n++], (uint8_t[]){b0, b1, b2, b3}, 4);
}

static bool begins(const uint8_t *a, const char *prefix)
{
    struct egress_net net;
    must(net_read(str_of(prefix), &net));
    return net_covers(&net, a);
}

static void carried_find(const uint8_t a[static ADDRESS_BYTES], struct carried *c)
{
    bool isatap = (a[8] & 0xfd) == 0 && a[9] == 0 && a[10] == 0x5e && a[11] == 0xfe;
    if (isatap || begins(a, "::/96") || begins(a, "::ffff:0:0:0/96") || begins(a, "64:ff9b::/96") ||
        begins(a, "64:ff9b:1::/48"))
        carried_add(c, a[12], a[13], a[14], a[15]);
    if (begins(a, "64:ff9b:1::/48")) { // prefixes of 48, 56 and 64 bits leave out byte 8
        carried_add(c, a[6], a[7], a[9], a[10]);
        carried_add(c, a[7], a[9], a[10], a[11]);
        carried_add(c, a[9], a[10], a[11], a[12]);
    }
    if (begins(a, "2002::/16"))
        carried_add(c, a[2], a[3], a[4], a[5]);
    if (begins(a, "2001::/32")) { // server, and the client with its bits inverted
        carried_add(c, a[4], a[5], a[6], a[7]);
        carried_add(c, (uint8_t)~a[12], (uint8_t)~a[13], (uint8_t)~a[14], (uint8_t)~a[15]);
    }
}

static void map_v4(const uint8_t v4[static 4], uint8_t ret[static ADDRESS_BYTES])
{
    memset(ret, 0, ADDRESS_BYTES);
    ret[V4_OFFSET - 2] = ret[V4_OFFSET - 1] = UINT8_MAX;
    memcpy(ret + V4_OFFSET, v4, 4);
}

static bool v6_permitted(const struct egress *e, const uint8_t address[static ADDRESS_BYTES])
{
    struct carried c = {.n = 0};
    carried_find(address, &c);
    for (size_t i = 0; i < c.n; i++) {
        uint8_t mapped[ADDRESS_BYTES];
        map_v4(c.v[i], mapped);
        if (!address_permitted(e, mapped))
            return false;
    }
    return address_permitted(e, address);
}

bool egress_permits(const struct egress *e, const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        uint8_t v4[4], mapped[ADDRESS_BYTES];
        memcpy(&in, address, sizeof in);
        memcpy(v4, &in.sin_addr, sizeof v4);
        map_v4(v4, mapped);
        return address_permitted(e, mapped);
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        return v6_permitted(e, in6.sin6_addr.s6_addr);
    }
    return false;
}
