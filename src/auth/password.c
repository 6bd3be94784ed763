// SPDX-License-Identifier: Apache-2.0
// argon2id through libsodium, behind a small gate: PASSWORD_HASHES_MAX run, WAITERS_MAX wait in order, all
// others are refused at once. Without the second bound a flood of sign-ins would hold every HTTP worker.
//
// Lock: gate.lock (LOCK_AUTH_PASSWORD) guards the counters; it is not held while hashing.
#include "auth/password.h"

#include <errno.h>
#include <sodium.h>

#include "auth/common.h"
#include "base/sync.h"
#include "model/user.h"

enum { WAITERS_MAX = 8, WAIT_MAX_S = 2, DUMMY_SECRET_BYTES = 32 };

static const char CROWDED[] = "too many sign-ins at the same time; try again in a few seconds";
static const char NO_MEMORY[] = "not enough memory to hash a password; try again later";

static struct {
    struct mutex lock;
    struct cond turn;
    int running; // hashes in work, turns given to waiters included
    int waiting; // threads in the queue
    int granted; // turns given and not taken yet, ≤ waiting
} gate;

static pthread_once_t gate_once = PTHREAD_ONCE_INIT;

// What an unknown user's password is compared with: a hash nobody knows the password of.
static char dummy_phc[crypto_pwhash_STRBYTES];

static bool hash_into(struct str password, char phc[static crypto_pwhash_STRBYTES])
{
    return crypto_pwhash_str_alg(phc, password.p ? password.p : "", password.n, PASSWORD_HASH_PASSES,
                                 PASSWORD_HASH_BYTES, crypto_pwhash_ALG_ARGON2ID13) == 0;
}

static void gate_init(void)
{
    must(sodium_init() >= 0);
    mutex_init(&gate.lock, LOCK_AUTH_PASSWORD);
    cond_init(&gate.turn);
    char secret[DUMMY_SECRET_BYTES];
    randombytes_buf(secret, sizeof secret);
    // Without memory for one hash the text stays empty: verifying against it fails, as it must.
    (void)hash_into((struct str){secret, sizeof secret}, dummy_phc);
}

static bool gate_enter(struct err *err)
{
    (void)pthread_once(&gate_once, gate_init);
    WITH_LOCK(&gate.lock);
    if (gate.running < PASSWORD_HASHES_MAX) {
        gate.running++;
        return true;
    }
    if (gate.waiting == WAITERS_MAX)
        return ERR(err, ERR_THROTTLED, "%s", CROWDED);
    gate.waiting++;
    bool in_time = true;
    while (gate.granted == 0 && in_time)
        in_time = cond_wait_for(&gate.turn, &gate.lock, duration_s(WAIT_MAX_S));
    gate.waiting--;
    if (gate.granted == 0)
        return ERR(err, ERR_THROTTLED, "%s", CROWDED);
    gate.granted--;
    return true;
}

static void gate_leave(void)
{
    WITH_LOCK(&gate.lock);
    // The turn is handed over, not given up, so that new-comers cannot overtake those who wait.
    if (gate.waiting > gate.granted) {
        gate.granted++;
        cond_signal(&gate.turn);
    } else {
        gate.running--;
    }
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == '\x7f')
            return true;
    return false;
}

bool password_check(struct str password, struct str email, struct err *err)
{
    bool ok = true;
    if (password.n < PASSWORD_MIN)
        ok = ERR(err, ERR_INVALID, "password is too short; use at least %d characters", PASSWORD_MIN);
    else if (password.n > PASSWORD_MAX)
        ok = ERR(err, ERR_INVALID, "password is too long; use at most %d bytes", PASSWORD_MAX);
    else if (!str_utf8_valid(password) || has_control(password))
        ok = ERR(err, ERR_INVALID, "password holds a control character or is not UTF-8; use printable text");
    else if (str_eq_nocase(password, email))
        ok = ERR(err, ERR_INVALID, "password equals the e-mail address; choose another one");
    else if (password_common(password))
        ok = ERR(err, ERR_INVALID, "password is among those that everybody tries first; use several unrelated words");
    return ok ? true : err_at(err, "/password");
}

bool password_hash(struct str password, struct str *ret_phc, struct arena *a, struct err *err)
{
    must(password.n <= PASSWORD_MAX);
    if (!gate_enter(err))
        return false;
    char phc[crypto_pwhash_STRBYTES];
    bool ok = hash_into(password, phc);
    gate_leave();
    struct str copy = ok ? arena_str(a, str_of(phc)) : STR_NONE;
    if (!copy.p)
        return ERR(err, ERR_UNAVAILABLE, "%s", NO_MEMORY);
    *ret_phc = copy;
    return true;
}

// The hash as libsodium wants it: NUL-terminated in an array of fixed size; the dummy when there is none.
static bool phc_load(struct str phc, char out[static crypto_pwhash_STRBYTES])
{
    bool usable = phc.p && phc.n < crypto_pwhash_STRBYTES;
    if (!usable)
        phc = str_of(dummy_phc);
    memset(out, 0, crypto_pwhash_STRBYTES);
    memcpy(out, phc.p, phc.n);
    return usable;
}

bool password_verify(struct str password, struct str phc, struct err *err)
{
    // Cutting keeps the time of a huge text bounded; a cut text never matches, because none longer is stored.
    bool short_enough = password.n <= PASSWORD_MAX;
    if (!short_enough)
        password.n = PASSWORD_MAX;
    if (!gate_enter(err))
        return false;
    char text[crypto_pwhash_STRBYTES];
    bool usable = phc_load(phc, text);
    errno = 0;
    bool match = crypto_pwhash_str_verify(text, password.p ? password.p : "", password.n) == 0;
    bool no_memory = !match && errno == ENOMEM;
    gate_leave();
    if (no_memory)
        return ERR(err, ERR_UNAVAILABLE, "%s", NO_MEMORY);
    if (match && usable && short_enough)
        return true;
    return ERR(err, ERR_UNAUTHENTICATED, "e-mail address or password is wrong");
}
