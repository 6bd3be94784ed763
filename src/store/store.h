// SPDX-License-Identifier: Apache-2.0
// Our tables in domain words. Every implementation (memory, sql over any db/) passes the same
// conformance suite (tests/store). All operations are synchronous and thread-safe; a write returns
// after its commit is durable. Writes that arrive together share one commit (group commit).
//
// Results are allocated in the caller's arena. Decisions are conditional statements whose row count is
// checked: "won"/"recorded" flags tell who decided, never a read before a write. Errors: ERR_UNAVAILABLE,
// ERR_FULL, ERR_BUSY (after bounded retries), ERR_CORRUPT, ERR_UNKNOWN_COMMIT.
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "model/audit.h"
#include "model/breaker.h"
#include "model/dlq.h"
#include "model/job.h"
#include "model/node.h"
#include "model/outbox.h"
#include "model/plan.h"
#include "model/run.h"
#include "model/secret.h"
#include "model/subscription.h"
#include "model/user.h"
#include "store/accounts.h"
#include "store/once.h"
#include "store/sign_on.h"

// ---- the hot path: one transaction per flush --------------------------------------------------

// Decides the due occurrences of one job: the plan moves from expect_next to new_next if its next_fire
// and version are still as expected; only then the runs are written (RUNNING with a token, QUEUED, or final
// decisions SKIPPED and MISSED) and chained in order.
struct fire {
    struct ulid job_id;
    int64_t expect_version;
    struct instant expect_next, new_next;
    struct run *runs; // prev_run is filled by the store
    size_t n_runs;
    bool ret_won;    // false: somebody else decided, or the plan changed; nothing was written
    bool ret_exists; // not won although the plan was as expected, because one of the runs exists already:
                     // fire again without it to move on
};
// QUEUED → RUNNING by the token's owner. start, worker, token, attempt come from *run.
struct claim {
    struct run *run;
    bool ret_won;
};
// Ends a RUNNING run if it still carries the token; token 0 (nobody's) ends a QUEUED run instead, which is
// how the concurrency rule skips one. In the same transaction: the next attempt (a QUEUED run in the same
// chain), the dead letter, runs of other jobs that it starts, and for anchor END the plan's next fire. Fires
// are applied first, then claims, then finishes.
struct finish {
    struct run *run;   // id, token, status, start, end, exit_code, error_class, error_message, job_version
    struct run *retry; // or NULL
    struct dead_letter *dead; // or NULL
    // QUEUED runs of other jobs that this end causes, at most 32. One whose job is gone or whose id exists is left out;
    // a bit of ret_started for each that was not.
    struct run *starts;
    size_t n_starts;
    uint32_t ret_started;
    struct instant plan_next; // INSTANT_NEVER = leave; else set when the plan has no next fire
    bool ret_recorded;        // false: stale token or already final; nothing of this finish was written
};
// Something people want to be told, written if the row it belongs to was won, started or recorded.
enum flush_part { PART_FIRE, PART_CLAIM, PART_FINISH };
struct flush_notice {
    int part;  // enum flush_part
    size_t at; // in fires, claims or finishes
    struct notice notice;
};
struct flush {
    struct fire *fires;
    size_t n_fires;
    struct claim *claims;
    size_t n_claims;
    struct finish *finishes;
    size_t n_finishes;
    const struct log_line *logs; // appended; a line whose (run, id) exists already is ignored
    size_t n_logs;
    const struct flush_notice *notices;
    size_t n_notices;
    const struct change *changes; // to be told to other nodes (kind and subject)
    size_t n_changes;
    // Not 0: fires and claims are written only while this node's lease lasts, by the store's clock; else the whole
    // flush fails with ERR_STALE and nothing of it is written.
    int64_t node_token;
};

// ---- queries -----------------------------------------------------------------------------------

enum { PAGE_SIZE_MAX = 200, TOTAL_EXACT_MAX = 10000 };
enum { BACKLOG_COUNT_MAX = 100000 };
// What waits for somebody, each counted up to BACKLOG_COUNT_MAX: for figures and health.
struct store_backlog {
    int64_t dead_letters;         // not resolved
    int64_t outbox;               // events not passed on
    struct instant outbox_oldest; // INSTANT_NEVER: none
    int64_t audit_unsealed;       // records not in the chain yet
    int64_t messages;             // to be sent, now or later
    struct instant messages_due;  // when the first of them was or is to be tried; INSTANT_NEVER: none
};
enum { MEMO_NAME_MAX = 128, MEMO_VALUE_MAX = 1024 * 1024 }; // bytes


// Keyset page: `after` (from next_cursor) or offset = page × size. Newest first unless ascending.
struct page {
    int64_t size, offset;
    struct str cursor; // opaque to callers; ERR_INVALID when it is not ours
    struct str sort;   // JSON name of an indexed field, absent = id
    bool ascending;
};
struct page_result {
    int64_t total; // exact up to TOTAL_EXACT_MAX
    bool total_is_estimate;
    struct str next_cursor; // absent on the last page
};
// Whose objects a list shows: those of the owner and of the teams beside it.
struct job_filter {
    struct ulid owner_id; // zero = any
    const struct ulid *teams;
    size_t n_teams; // ≤ USER_TEAMS_MAX
    struct str name;      // part of the name, case-insensitive; absent = any
    struct str type, tag;
    int status; // enum job_status or −1
};
struct run_filter {
    struct ulid owner_id; // of the job; zero = any
    const struct ulid *teams;
    size_t n_teams;
    struct ulid job_id;   // zero = any: walks the job's chain when given
    int status;           // enum run_status or −1
    struct instant from, to;         // scheduled at or after, and before; 0 = any
    unsigned triggers;               // 1 << enum run_trigger; 0 = any
    struct str worker, error_class;  // absent = any
};
struct dlq_filter {
    struct ulid owner_id, job_id;
    const struct ulid *teams;
    size_t n_teams;
    struct str error_class; // absent = any
    struct instant before;  // created earlier; 0 = any
    int resolved; // 0, 1, −1 = any
};

struct audit_filter {
    struct str entity_type, entity_id, action; // absent = any
    struct ulid actor_id;                      // zero = any
    struct str actor;                          // absent = any
    int outcome;                               // enum audit_outcome or −1
    struct instant from, before;               // from ≤ at < before; 0 = any
};
// Gives records their places in the chain. Written only while the head is what `expect` says, so that of two who
// seal at the same time one gets ERR_STALE and nothing of his stays.
struct audit_seal {
    const struct audit_record *records; // id, seq and chain of each
    size_t n;
    struct audit_mark expect; // seq 0: there is no head yet
    struct audit_mark head;
    const struct audit_mark *checkpoint; // or NULL
};

struct delivery_filter {
    struct ulid owner_id, job_id, subscription_id; // zero = any
    int state; // enum delivery_state or −1
};
// What the rules made of notices: one transaction.
struct settlement {
    const int64_t *seqs; // removed
    size_t n_seqs;
    const struct notice_mark *marks; // replaced, or removed when the body is absent
    size_t n_marks;
    const struct delivery *deliveries; // one whose id exists is left out: it was decided before
    size_t n_deliveries;
};

typedef void (*store_definition_fn)(void *ctx, struct ulid job_id, struct str text, int64_t version);

enum run_cancel_result { CANCEL_DONE, CANCEL_REQUESTED, CANCEL_ALREADY_FINAL, CANCEL_NO_SUCH_RUN };

struct store;

struct store_ops {
    const char *name; // "memory", "sqlite"
    void (*free)(struct store *s);
    // Cheap proof that reads and writes work.
    bool (*check)(struct store *s, struct err *err);

    bool (*flush)(struct store *s, struct flush *f, struct err *err);

    // -- engine: what is to be held in memory
    // Plans in id order after `after` (zero = from the start), at most max; fewer = the end. Only rows that
    // can fire (enabled, ACTIVE) unless all. A row that cannot be read is skipped and counted in *ret_bad.
    bool (*plans_page)(struct store *s, struct ulid after, size_t max, bool all, struct plan **ret,
                       size_t *ret_n, size_t *ret_bad, struct arena *a, struct err *err);
    // Those of the ids that exist, in any order.
    bool (*plans_get)(struct store *s, const struct ulid *ids, size_t n, struct plan **ret, size_t *ret_n,
                      struct arena *a, struct err *err);
    // QUEUED and RUNNING runs in id order after `after`.
    bool (*runs_unfinished)(struct store *s, struct ulid after, size_t max, struct run **ret, size_t *ret_n,
                            struct arena *a, struct err *err);
    // Definition text and its version of a job that is not deleted; ERR_NOT_FOUND.
    bool (*job_definition)(struct store *s, struct ulid id, struct str *ret_text, int64_t *ret_version,
                           struct arena *a, struct err *err);

    // The definitions of several jobs in one question: each found is handed over before this returns, in any order; the
    // text lives until `each` returns. NULL where one by one is as fast.
    bool (*job_definitions)(struct store *s, const struct ulid *ids, size_t n, store_definition_fn each, void *ctx,
                            struct err *err);

    // -- jobs. struct job carries the definition; the stored text is field_encode(job_fields, STORED).
    // All or nothing. ERR_CONFLICT when an id exists.
    bool (*jobs_insert)(struct store *s, const struct job *v, const struct plan *plans, size_t n,
                        struct err *err);
    // Replaces definition, owner and plan if the version still is `expect` (job->version and plan->version are the
    // new one, expect + 1). last_run, run_count are kept. Gone: ERR_NOT_FOUND, other version: ERR_STALE.
    bool (*job_update)(struct store *s, const struct job *j, const struct plan *p, int64_t expect,
                       struct err *err);
    // Marks deleted (history keeps name and owner), removes the plan and QUEUED runs end CANCELLED.
    bool (*job_delete)(struct store *s, struct ulid id, int64_t expect, struct instant now, struct err *err);
    // Pause, resume, cancel: sets plan.state, and next_fire when it is not INSTANT_NEVER. Counts plan.version
    // and job version up by one (both stay equal), so that the engine's older view loses its CAS.
    bool (*job_set_state)(struct store *s, struct ulid id, int state, struct instant next_fire,
                          struct instant now, struct err *err);
    // With status, next_fire_time, last_run_id, run_count filled. ERR_NOT_FOUND also when deleted.
    bool (*job_get)(struct store *s, struct ulid id, struct job *ret, struct arena *a, struct err *err);
    bool (*jobs_list)(struct store *s, const struct job_filter *f, const struct page *p, struct job **ret,
                      size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err);

    // -- runs
    // A QUEUED run for a manual start, runAt, or retry by hand; chained to its job. ERR_NOT_FOUND when the
    // job is gone.
    bool (*run_insert)(struct store *s, struct run *r, struct err *err);
    bool (*run_get)(struct store *s, struct ulid id, struct run *ret, struct arena *a, struct err *err);
    bool (*runs_list)(struct store *s, const struct run_filter *f, const struct page *p, struct run **ret,
                      size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err);
    // QUEUED ends CANCELLED at once; RUNNING is marked cancel_requested (durable; the engine stops it).
    bool (*run_cancel)(struct store *s, struct ulid id, struct instant now, enum run_cancel_result *ret,
                       struct err *err);
    // Lines with id > after, oldest first.
    bool (*logs_read)(struct store *s, struct ulid run_id, int64_t after, size_t max, struct log_line **ret,
                      size_t *ret_n, struct arena *a, struct err *err);

    // -- dead letters
    bool (*dlq_get)(struct store *s, struct ulid id, struct dead_letter *ret, struct arena *a,
                    struct err *err);
    bool (*dlq_list)(struct store *s, const struct dlq_filter *f, const struct page *p,
                     struct dead_letter **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a,
                     struct err *err);
    // Marks it resolved by somebody with a reason, and when replay is not NULL inserts that QUEUED run in the
    // same transaction; definition is what that runs, absent: the job as it is then. ERR_CONFLICT when it is
    // resolved already.
    bool (*dlq_resolve)(struct store *s, struct ulid id, struct str by, struct str reason, struct run *replay,
                        struct str definition, struct instant now, struct err *err);

    // -- users and sessions
    bool (*user_insert)(struct store *s, const struct user *u, struct err *err); // ERR_CONFLICT: e-mail taken
    // The first ADMIN: inserted only while no enabled ADMIN exists (ERR_CONFLICT), so that two set-ups cannot
    // race.
    bool (*user_insert_first_admin)(struct store *s, const struct user *u, struct err *err);
    bool (*user_get)(struct store *s, struct ulid id, struct user *ret, struct arena *a, struct err *err);
    bool (*user_by_email)(struct store *s, struct str email, struct user *ret, struct arena *a,
                          struct err *err);
    // Replaces password_hash, roles, enabled, session_epoch, one_time_until. ERR_STALE when session_epoch is not
    // read_epoch any more (read_epoch 0: whatever it is); ERR_CONFLICT when no enabled ADMIN would be left.
    bool (*user_update)(struct store *s, const struct user *u, struct err *err);
    bool (*admin_exists)(struct store *s, bool *ret, struct err *err);
    bool (*session_insert)(struct store *s, const struct session *n, struct err *err);
    // Marks the old one used and inserts the next one of its family. ERR_UNAUTHENTICATED when the old one is
    // unknown or expired; when it was used before, the whole family is deleted (and stays deleted) first, and *ret_user
    // says whose it was, which else stays as it is.
    bool (*session_rotate)(struct store *s, const uint8_t old_hash[32], const uint8_t new_hash[32],
                           struct instant now, struct instant expires, struct ulid *ret_user,
                           struct err *err);
    bool (*session_end)(struct store *s, const uint8_t token_hash[32],
                        struct err *err); // deletes its family; idempotent
    bool (*sessions_end_all)(struct store *s, struct ulid user_id, struct err *err);

    const struct once_ops *once; // requests that are carried out once
    const struct account_ops *accounts; // further operations on users, API keys and teams
    const struct sign_on_ops *sign_on;  // identities, sessions of browsers

    // -- small durable values of the installation ("setup.token", …)
    bool (*setting_get)(struct store *s, struct str key, struct str *ret, struct arena *a,
                        struct err *err); // ERR_NOT_FOUND
    bool (*setting_put)(struct store *s, struct str key, struct str value,
                        struct err *err); // absent value: delete
    // Of several who insert one key, one succeeds; the others get ERR_CONFLICT and can read what that one wrote.
    bool (*setting_insert)(struct store *s, struct str key, struct str value, struct err *err);

    // -- secrets, sealed already; by scope and name
    // Replaces an older one, whose created_at stays.
    bool (*secret_put)(struct store *s, const struct secret *v, struct err *err);
    bool (*secret_get)(struct store *s, struct ulid scope, struct str name, struct secret *ret, struct arena *a,
                       struct err *err); // ERR_NOT_FOUND
    // Those behind (scope, after) in order, at most max; of this scope alone or, when all, of the later ones too.
    bool (*secrets_page)(struct store *s, struct ulid scope, struct str after, bool all, size_t max,
                         struct secret **ret, size_t *ret_n, struct arena *a, struct err *err);
    // The same value under another key: only while the sealed text is still the one expected.
    bool (*secret_reseal)(struct store *s, const struct secret *v, struct str expect, bool *ret_done, struct err *err);
    bool (*secret_delete)(struct store *s, struct ulid scope, struct str name, struct err *err); // ERR_NOT_FOUND

    // -- memos: small texts of a job that outlive its runs and go with it
    bool (*memo_get)(struct store *s, struct ulid job_id, struct str name, struct str *ret, struct arena *a,
                     struct err *err); // absent when there is none
    // Of the job of this run, only while it is RUNNING under the token and the job exists: ERR_STALE.
    bool (*memo_put)(struct store *s, struct ulid run_id, int64_t token, struct str name, struct str value,
                     struct err *err);

    // As memo_put for whoever tells the job something from outside; other nodes hear of it (CHANGE_PING).
    // ERR_NOT_FOUND.
    bool (*memo_set)(struct store *s, struct ulid job_id, struct str name, struct str value, struct err *err);

    // -- circuit breakers, shared by the nodes
    // Writes the row when the one in the store still has the version `expect`; 0: when there is none. The new version
    // is row->version; since is the store's now, and until `wait` later. Others are told (CHANGE_BREAKER). Rows whose
    // `until` is BREAKER_FORGET_S old are removed on the way.
    bool (*breaker_put)(struct store *s, const struct breaker_row *row, int64_t expect, struct duration wait,
                        bool *ret_won, struct err *err);
    bool (*breakers_list)(struct store *s, struct breaker_row **ret, size_t *ret_n, struct instant *ret_now,
                          struct arena *a, struct err *err);

    // -- notifications
    // expect 0: a new one, ERR_CONFLICT when the id exists; else replaces that version, ERR_STALE, ERR_NOT_FOUND.
    // v->version is the new one. Others are told (CHANGE_SUBSCRIPTION), as by delete.
    bool (*subscription_put)(struct store *s, const struct subscription *v, int64_t expect, struct err *err);
    bool (*subscription_get)(struct store *s, struct ulid id, struct subscription *ret, struct arena *a,
                             struct err *err); // ERR_NOT_FOUND
    // In id order after `after`, at most max; of this job when it is not zero.
    bool (*subscriptions_page)(struct store *s, struct ulid job_id, struct ulid after, size_t max,
                               struct subscription **ret, size_t *ret_n, struct arena *a, struct err *err);
    // With its marks; its pending deliveries end DROPPED. ERR_NOT_FOUND. The deletion of a job does the same.
    bool (*subscription_delete)(struct store *s, struct ulid id, struct instant now, struct err *err);
    // What no flush tells. (A job that is paused is noticed by job_set_state, if a subscription wants that.)
    bool (*notices_put)(struct store *s, const struct notice *v, size_t n, struct err *err);
    bool (*notices_read)(struct store *s, size_t max, struct notice **ret, size_t *ret_n, struct arena *a,
                         struct err *err); // the oldest, in order
    bool (*notices_settle)(struct store *s, const struct settlement *v, struct err *err);
    // Marks of this job, and those without a job; and those due.
    bool (*marks_of)(struct store *s, struct ulid job_id, struct notice_mark **ret, size_t *ret_n, struct arena *a,
                     struct err *err);
    bool (*marks_due)(struct store *s, struct instant now, size_t max, struct notice_mark **ret, size_t *ret_n,
                      struct arena *a, struct err *err);
    bool (*delivery_get)(struct store *s, struct ulid id, struct delivery *ret, struct arena *a, struct err *err);
    // state, due, tries, code, sentence and ended_at, while it has `expect` tries. ERR_STALE.
    bool (*delivery_update)(struct store *s, const struct delivery *v, int64_t expect, struct err *err);
    bool (*deliveries_list)(struct store *s, const struct delivery_filter *f, const struct page *p,
                            struct delivery **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a,
                            struct err *err);
    // The next one of each subscription that is due, oldest first.
    bool (*deliveries_due)(struct store *s, struct instant now, size_t max, struct delivery **ret, size_t *ret_n,
                           struct arena *a, struct err *err);
    // Removes at most max ended ones created before an instant.
    bool (*deliveries_trim)(struct store *s, struct instant before, size_t max, size_t *ret_n, struct err *err);
    // Plans that are followed and whose next fire is before an instant.
    bool (*plans_overdue)(struct store *s, struct instant before, size_t max, struct plan **ret, size_t *ret_n,
                          struct arena *a, struct err *err);

    // -- the cluster. Leases are measured by the store's clock.
    // A new member, its lease from now on. ERR_CONFLICT while another living node has this name.
    bool (*node_register)(struct store *s, const struct node *n, struct duration lease, struct err *err);
    // ERR_STALE when the lease has ended or the node is gone: the token is dead. On a connection of its own, so that
    // no other work delays it.
    bool (*node_renew)(struct store *s, int64_t token, struct duration lease, int64_t running,
                       int64_t clock_offset_us, struct err *err);
    // What the node acts upon from now on; others are told (CHANGE_NODES). ERR_STALE as above.
    bool (*node_publish)(struct store *s, int64_t token, int state, struct str view, struct err *err);
    bool (*node_leave)(struct store *s, int64_t token, struct err *err); // removes it; others are told; idempotent
    // Asks every living node of this name to drain, or to take part again. ERR_NOT_FOUND.
    bool (*node_want)(struct store *s, struct str name, bool drain, struct err *err);
    // All rows, the ended ones of the last hour included (state NODE_DEAD), by name; and the store's clock.
    bool (*nodes_list)(struct store *s, struct node **ret, size_t *ret_n, struct instant *ret_now, struct arena *a,
                       struct err *err);
    // Changes with seq > after in order. They are written by every operation that changes what an engine holds
    // (jobs_insert … dlq_resolve) in its own transaction, and kept for ten minutes at least.
    bool (*changes_read)(struct store *s, int64_t after, size_t max, struct change **ret, size_t *ret_n,
                         struct arena *a, struct err *err);
    // The highest seq now; a reader that loads everything afterwards starts from it.
    bool (*changes_last)(struct store *s, int64_t *ret, struct err *err);
    // Removes what is older than `age` by the store's clock.
    bool (*changes_trim)(struct store *s, struct duration age, struct err *err);
    // Returns when somebody else changed something, or after at_most; NULL where the store cannot tell.
    bool (*changes_wait)(struct store *s, struct duration at_most, struct err *err);
    // Takes or keeps a duty that only one node may have. *ret_term counts holders up: work done under an older
    // term is void.
    bool (*duty_hold)(struct store *s, struct str name, int64_t token, struct duration lease, bool *ret_held,
                      int64_t *ret_term, struct err *err);
    bool (*duty_release)(struct store *s, struct str name, int64_t token, struct err *err);

    // -- events for readers outside. Off until turned on; every node of a cluster must agree.
    void (*events_enable)(struct store *s, bool on);
    // The oldest, in order; and those passed on are removed.
    bool (*events_read)(struct store *s, size_t max, struct outbox_event **ret, size_t *ret_n, struct arena *a,
                        struct err *err);
    bool (*events_remove)(struct store *s, const int64_t *seqs, size_t n, struct err *err);
    bool (*backlog)(struct store *s, struct store_backlog *ret, struct err *err);

    // -- the audit trail
    // Copies of the records go with the next write of this thread to this store, in its transaction: when that fails or
    // decides nothing (a run that has ended already, a breaker somebody else moved), they are gone with it. Given again
    // before that write, they are added. audit_drop: there is no such write after all.
    void (*audit_take)(struct store *s, const struct audit_record *v, size_t n);
    void (*audit_drop)(struct store *s);
    // By themselves, all or none.
    bool (*audit_append)(struct store *s, const struct audit_record *v, size_t n, struct err *err);
    bool (*audit_get)(struct store *s, struct ulid id, struct audit_record *ret, struct arena *a,
                      struct err *err); // ERR_NOT_FOUND
    bool (*audit_list)(struct store *s, const struct audit_filter *f, const struct page *p, struct audit_record **ret,
                       size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err);
    // Without a place in the chain, by id behind `after`, at most max.
    bool (*audit_unsealed)(struct store *s, struct ulid after, size_t max, struct audit_record **ret, size_t *ret_n,
                           struct arena *a, struct err *err);
    // In the order of the chain behind `after`, at most max.
    bool (*audit_chain)(struct store *s, int64_t after, size_t max, struct audit_record **ret, size_t *ret_n,
                        struct arena *a, struct err *err);
    bool (*audit_seal)(struct store *s, const struct audit_seal *w, struct err *err);
    // Marks of a kind with seq > after in order, at most max.
    bool (*audit_marks)(struct store *s, int kind, int64_t after, size_t max, struct audit_mark **ret, size_t *ret_n,
                        struct arena *a, struct err *err);
    // Moves the anchor and removes what lies before it, checkpoints too; the anchor's own checkpoint stays. expect: the
    // anchor until now, seq 0 for none; ERR_STALE when it is another.
    bool (*audit_trim)(struct store *s, const struct audit_mark *expect, const struct audit_mark *anchor,
                       struct err *err);

    // -- retention: removes at most max final runs scheduled before an instant, with their logs, and resolved dead
    // letters that old. The newest run of a job that is not deleted stays, and a run goes only after the ones behind it
    // in the chain of its job, so that what stays can be reached. *ret_more: there may be more to remove.
    bool (*history_trim)(struct store *s, struct instant before, size_t max, size_t *ret_n, bool *ret_more,
                         struct err *err);
};

struct store {
    const struct store_ops *ops;
    // One process only can use it: there are no other nodes, and what ran before ran in a process that is gone.
    bool exclusive;
};

#endif
