// SPDX-License-Identifier: Apache-2.0
// Sealing, checkpoints and retention of the audit trail.
#include "app/audit_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "app/audit_trail.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sync.h"
#include "engine/cluster.h"

enum {
    BATCH = 500,
    BATCH_ARENA = 128 * 1024 * 1024,
    PERIOD_MS = 500,
    RETRY_S = 5,
    DUTY_LEASE_S = 30,
    CHECKPOINT_RECORDS = 1000,
    CHECKPOINT_S = 3600,
    FILE_MODE = 0600,
    TRIM_PERIOD_S = 60,
};
static const struct str duty = STR_INIT("audit");

struct audit_keeper {
    struct audit_keeper_config config;
    struct app *app;
    int64_t token, term;                // under which the last round worked
    struct audit_mark head, checkpoint; // as last read or written; seq 0: none
    bool known;                         // the head is
    struct instant trimmed;
    struct waker waker;
    _Atomic bool stop;
    bool runs;
    pthread_t thread;
};

struct audit_keeper *audit_keeper_new(const struct audit_keeper_config *c, struct app *app)
{
    struct audit_keeper *k = mem_new(struct audit_keeper);
    must(app->audit);
    k->config = *c;
    k->app = app;
    waker_init(&k->waker, LOCK_APP_AUDIT_WAKER);
    return k;
}

static const struct store_ops *ops(const struct audit_keeper *k) { return k->app->store->ops; }

// Alone on its store it needs no permission.
static bool has_duty(struct audit_keeper *k, bool *ret, struct err *err)
{
    struct cluster_status node;
    int64_t term = 0;
    *ret = true;
    if (!k->config.cluster)
        return true;
    cluster_status(k->config.cluster, &node); // a node that lost its lease has another token now
    k->token = node.token;
    if (!ops(k)->duty_hold(k->app->store, duty, k->token, duration_s(DUTY_LEASE_S), ret, &term, err))
        return false;
    if (term != k->term || !*ret)
        k->known = false; // somebody else may have sealed meanwhile
    k->term = *ret ? term : 0;
    return true;
}

// ---- marks ---------------------------------------------------------------------------------------

static bool mark_read(struct audit_keeper *k, int kind, struct audit_mark *ret, struct arena *a,
                      struct err *err)
{
    struct audit_mark *v;
    size_t n = 0;
    if (!ops(k)->audit_marks(k->app->store, kind, 0, 1, &v, &n, a, err))
        return false;
    *ret = n ? v[0] : (struct audit_mark){.kind = kind};
    return true;
}

// The head as it is. One that does not carry our signature is nothing to build on.
static bool head_learn(struct audit_keeper *k, struct arena *a, struct err *err)
{
    struct audit_mark m;
    if (k->known)
        return true;
    if (!mark_read(k, AUDIT_HEAD, &m, a, err))
        return false;
    if (m.seq != 0 && !audit_mark_holds(audit_trail_key(k->app->audit), &m))
        return ERR(err, ERR_CORRUPT,
                   "the head of the audit trail is forged or was written with another key: run "
                   "chronos audit verify");
    k->head = m;
    k->known = true;
    return true;
}

// A line more; where a node has no such file the store and the log have it.
static void file_add(const char *path, const char *line)
{
    int fd CLEANUP(cleanup_fd) =
        open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (fd < 0 || dprintf(fd, "%s\n", line) < 0 || fdatasync(fd) != 0)
        LOG_WARN("a checkpoint of the audit trail cannot be added to its file", LOG_CSTR("file", path),
                 LOG_INT("errno", errno));
}

static void checkpoint_tell(struct audit_keeper *k, const struct audit_mark *m)
{
    char line[AUDIT_LINE_MAX];
    k->checkpoint = *m;
    (void)audit_mark_line(m, line);
    LOG_INFO("audit checkpoint", LOG_CSTR("mark", line));
    if (k->config.file)
        file_add(k->config.file, line);
}

// ---- sealing -------------------------------------------------------------------------------------

static bool checkpoint_due(const struct audit_keeper *k, const struct audit_mark *head, bool last)
{
    int64_t since = head->seq - k->checkpoint.seq;
    return since > 0 && (last || since >= CHECKPOINT_RECORDS ||
                         instant_since(head->at, k->checkpoint.at).us >= duration_s(CHECKPOINT_S).us);
}

// Places for these records; n may be 0 for a checkpoint of what is sealed already.
static bool seal(struct audit_keeper *k, struct audit_record *v, size_t n, bool last, struct err *err)
{
    const struct audit_key *key = audit_trail_key(k->app->audit);
    struct audit_mark head = k->head;
    head.kind = AUDIT_HEAD;
    for (size_t i = 0; i < n; i++) {
        uint8_t before[AUDIT_MAC_BYTES];
        memcpy(before, head.chain, sizeof before);
        v[i].seq = ++head.seq;
        audit_chain_next(key, v[i].seq, v[i].mac, before, v[i].chain);
        memcpy(head.chain, v[i].chain, sizeof head.chain);
    }
    head.at = clock_now(k->app->clock);
    bool due = checkpoint_due(k, &head, last);
    if (n == 0 && !due)
        return true;
    struct audit_mark checkpoint = head;
    checkpoint.kind = AUDIT_CHECKPOINT;
    audit_mark_sign(key, &head);
    audit_mark_sign(key, &checkpoint);
    struct audit_seal work = {
        .records = v, .n = n, .expect = k->head, .head = head, .checkpoint = due ? &checkpoint : NULL};
    k->known = false; // until the store says that it is so
    if (!ops(k)->audit_seal(k->app->store, &work, err))
        return false;
    k->head = head;
    k->known = true;
    if (due)
        checkpoint_tell(k, &checkpoint);
    return true;
}

static bool seal_all(struct audit_keeper *k, bool last, struct err *err)
{
    for (size_t n = BATCH; n == BATCH;) {
        struct arena a CLEANUP(arena_release);
        struct audit_record *v;
        arena_init(&a, BATCH_ARENA);
        if (!head_learn(k, &a, err) ||
            !ops(k)->audit_unsealed(k->app->store, ULID_ZERO, BATCH, &v, &n, &a, err) ||
            !seal(k, v, n, last && n < BATCH, err))
            return false;
    }
    return true;
}

// ---- retention -----------------------------------------------------------------------------------

// The last checkpoint that is old enough; *ret_old false: none is.
static bool old_checkpoint(struct audit_keeper *k, int64_t after, struct instant before,
                           struct audit_mark *ret, bool *ret_old, struct arena *a, struct err *err)
{
    struct audit_mark *v;
    size_t n = 0;
    *ret_old = false;
    if (!ops(k)->audit_marks(k->app->store, AUDIT_CHECKPOINT, after, 1, &v, &n, a, err))
        return false;
    if (n == 0 || v[0].at.us >= before.us || !audit_mark_holds(audit_trail_key(k->app->audit), &v[0]))
        return true;
    *ret = v[0];
    *ret_old = true;
    return true;
}

// One checkpoint's worth at a time. The anchor is signed like every mark, and says where the chain begins
// now.
static bool trim(struct audit_keeper *k, struct err *err)
{
    struct instant now = clock_now(k->app->clock);
    struct instant before = {now.us - duration_s(k->config.keep_days * S_PER_DAY).us};
    struct audit_mark anchor, next;
    bool old = true;
    if (k->config.keep_days == 0 || instant_since(now, k->trimmed).us < duration_s(TRIM_PERIOD_S).us)
        return true;
    k->trimmed = now;
    while (old && !k->stop) {
        struct arena a CLEANUP(arena_release);
        arena_init(&a, BATCH_ARENA);
        if (!mark_read(k, AUDIT_ANCHOR, &anchor, &a, err) ||
            !old_checkpoint(k, anchor.seq, before, &next, &old, &a, err))
            return false;
        if (!old)
            break;
        next.kind = AUDIT_ANCHOR;
        audit_mark_sign(audit_trail_key(k->app->audit), &next);
        if (!ops(k)->audit_trim(k->app->store, &anchor, &next, err))
            return false;
        LOG_INFO("old audit records removed", LOG_INT("up_to", next.seq));
    }
    return true;
}

// ---- life ----------------------------------------------------------------------------------------

static bool round_of(struct audit_keeper *k, bool last, struct err *err)
{
    bool held;
    return audit_trail_flush(k->app->audit, last, err) && has_duty(k, &held, err) &&
           (!held || (seal_all(k, last, err) && (last || trim(k, err))));
}

bool audit_keeper_round(struct audit_keeper *k, struct err *err) { return round_of(k, false, err); }

static void *keeper_main(void *arg)
{
    struct audit_keeper *k = arg;
    while (!k->stop) {
        struct err err = {0};
        bool ok = audit_keeper_round(k, &err);
        if (!ok && err.code != ERR_STALE)
            LOG_WARN("the audit trail cannot be sealed now, trying again", LOG_ERROR_FIELD(&err));
        (void)waker_wait(&k->waker,
                         ok || err.code == ERR_STALE ? duration_ms(PERIOD_MS) : duration_s(RETRY_S));
    }
    return NULL;
}

void audit_keeper_start(struct audit_keeper *k)
{
    k->thread = thread_start("audit", keeper_main, k);
    k->runs = true;
}

void audit_keeper_free(struct audit_keeper *k)
{
    struct err err = {0};
    if (!k)
        return;
    k->stop = true;
    waker_wake(&k->waker);
    if (k->runs) {
        (void)pthread_join(k->thread, NULL);
        if (!round_of(k, true, &err))
            LOG_WARN("the audit trail is not sealed to its end; the next start does it",
                     LOG_ERROR_FIELD(&err));
    }
    if (k->term > 0)
        (void)ops(k)->duty_release(k->app->store, duty, k->token, &err);
    waker_release(&k->waker);
    mem_free(k);
}
