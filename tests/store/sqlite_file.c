// SPDX-License-Identifier: Apache-2.0
// What only a file can suffer: damage, full disks, killed servers, foreign hands. Each case works in its own
// folder.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/sql/store_sql.h"

enum { PATH_BYTES = 256, ARENA_BUDGET = 16 * 1024 * 1024, EPOCH_S = 1800000000, NOBODY = 65534 };

struct place {
    char dir[PATH_BYTES], file[PATH_BYTES + 16];
    struct arena a;
    struct err err;
    struct rng rng;
};

static struct instant at_s(int64_t s) { return instant_s(EPOCH_S + s); }

static int place_setup(void **state)
{
    struct place *p = mem_new(struct place);
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(p->dir, sizeof p->dir, "%s/chronos-file-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(p->dir));
    (void)snprintf(p->file, sizeof p->file, "%s/chronos.db", p->dir);
    arena_init(&p->a, ARENA_BUDGET);
    rng_init(&p->rng, 3);
    *state = p;
    return 0;
}

static int place_teardown(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
    struct place *p = *state;
    (void)chmod(p->dir, 0700);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char path[PATH_BYTES + 32];
        (void)snprintf(path, sizeof path, "%s%s", p->file, ends[i]);
        (void)unlink(path);
    }
    (void)rmdir(p->dir);
    arena_release(&p->a);
    mem_free(p);
    return 0;
}

static struct store *open_store(struct place *p)
{
    struct store *s = NULL;
    if (!store_sqlite_open(p->file, STORE_DURABLE, at_s(0), &s, &p->err))
        fail_msg("%s", p->err.text);
    return s;
}

// Runs SQL on the file behind the store's back.
static void tamper(struct place *p, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(p->file, &db), SQLITE_OK);
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s", why);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void job_add(struct place *p, struct store *s, uint64_t number)
{
    struct job j = {.name = STR("job"),
                    .type = STR("DUMMY"),
                    .version = 1,
                    .owner_id = {{1}},
                    .enabled = true,
                    .timeout_seconds = 1,
                    .created_at = at_s(0),
                    .updated_at = at_s(0)};
    struct plan plan = {.next_fire = at_s(60)};
    field_defaults(&schedule_fields, &j.schedule);
    field_defaults(&retry_policy_fields, &j.retry_policy);
    j.schedule.kind = SCHEDULE_INTERVAL;
    j.schedule.interval_seconds = 60;
    j.id = ulid_new((struct instant){at_s(0).us + (int64_t)number * US_PER_MS}, &p->rng);
    plan_of_job(&j, &plan);
    if (!s->ops->jobs_insert(s, &j, &plan, 1, &p->err))
        fail_msg("%s", p->err.text);
}

static void assert_refused(struct place *p, enum err_code code, const char *part)
{
    struct store *s = NULL;
    assert_false(store_sqlite_open(p->file, STORE_DURABLE, at_s(0), &s, &p->err));
    if (p->err.code != code || !strstr(p->err.text, part))
        fail_msg("%s: %s", err_code_name(p->err.code), p->err.text);
}

// ---- opening -----------------------------------------------------------------------------------

static void missing_folder_is_named(void **state)
{
    struct place *p = *state;
    (void)snprintf(p->file, sizeof p->file, "%s/no/chronos.db", p->dir);
    assert_refused(p, ERR_IO, "create it");
}

static void second_server_is_refused(void **state)
{
    struct place *p = *state;
    struct store *s = open_store(p);
    assert_refused(p, ERR_BUSY, "another server uses data file");
    s->ops->free(s);
    s = open_store(p);
    s->ops->free(s);
}

static void text_file_is_refused(void **state)
{
    struct place *p = *state;
    int fd = open(p->file, O_WRONLY | O_CREAT, 0600);
    static const char text[] =
        "This is not a database. This is not a database. This is not a database. This is no";
    for (int i = 0; i < 100; i++)
        assert_int_equal(write(fd, text, sizeof text), sizeof text);
    assert_int_equal(close(fd), 0);
    assert_refused(p, ERR_CORRUPT, "restore it from a backup");
}

static void newer_schema_is_refused(void **state)
{
    struct place *p = *state;
    struct store *s = open_store(p);
    s->ops->free(s);
    tamper(p, "INSERT INTO schema_migrations VALUES (99, 'future', 'x', 0)");
    assert_refused(p, ERR_CONFIG, "newer program");
}

static void changed_migration_is_refused(void **state)
{
    struct place *p = *state;
    struct store *s = open_store(p);
    s->ops->free(s);
    tamper(p, "UPDATE schema_migrations SET checksum = 'other'");
    assert_refused(p, ERR_CONFIG, "differs");
}

// Runs body in a child process and returns its exit status.
static int in_child(struct place *p, int (*body)(struct place *p))
{
    pid_t child = fork();
    if (child == 0)
        _exit(body(p));
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

enum { CHILD_OK = 0, CHILD_WRONG = 1, CHILD_KILLED = 9, CHILD_NO_USER = 77 };

static int open_as_nobody(struct place *p)
{
    struct store *s = NULL;
    if (geteuid() == 0 && seteuid(NOBODY) != 0)
        return CHILD_NO_USER;
    if (store_sqlite_open(p->file, STORE_DURABLE, at_s(0), &s, &p->err))
        return CHILD_WRONG;
    return p->err.code == ERR_IO && strstr(p->err.text, "permission") ? CHILD_OK : CHILD_WRONG;
}

static void read_only_file_is_refused(void **state)
{
    struct place *p = *state;
    struct store *s = open_store(p);
    s->ops->free(s);
    assert_int_equal(chmod(p->file, 0444), 0);
    assert_int_equal(chmod(p->dir, 0555), 0);
    assert_int_equal(in_child(p, open_as_nobody), CHILD_OK);
}

// ---- damage ------------------------------------------------------------------------------------

static void damaged_file_is_reported(void **state)
{
    struct place *p = *state;
    struct store *s = open_store(p);
    for (uint64_t i = 0; i < 500; i++)
        job_add(p, s, i);
    s->ops->free(s);
    struct stat st;
    assert_int_equal(stat(p->file, &st), 0);
    int fd = open(p->file, O_WRONLY);
    static char junk[4096];
    memset(junk, 0x5A, sizeof junk);
    for (off_t at = 4096; at < st.st_size; at += (off_t)sizeof junk)
        assert_int_equal(pwrite(fd, junk, sizeof junk, at), sizeof junk);
    assert_int_equal(close(fd), 0);
    s = NULL;
    struct job *jobs;
    size_t n;
    struct page_result page;
    struct job_filter f = {.status = -1};
    struct page ask = {.size = 10};
    bool ok = store_sqlite_open(p->file, STORE_DURABLE, at_s(0), &s, &p->err) &&
              s->ops->jobs_list(s, &f, &ask, &jobs, &n, &page, &p->a, &p->err);
    assert_false(ok);
    assert_int_equal(p->err.code, ERR_CORRUPT);
    assert_non_null(strstr(p->err.text, "backup"));
    if (s)
        s->ops->free(s);
}

static void unreadable_plan_is_left_out(void **state)
{
    struct place *p = *state;
    struct store *s = open_store(p);
    for (uint64_t i = 0; i < 20; i++)
        job_add(p, s, i);
    s->ops->free(s);
    tamper(p, "UPDATE plan_specs SET options = 7 WHERE job_id IN (SELECT id FROM jobs ORDER BY id LIMIT 3 "
              "OFFSET 2)");
    s = open_store(p);
    struct plan *v;
    size_t n, bad;
    assert_true(s->ops->plans_page(s, ULID_ZERO, 10, false, &v, &n, &bad, &p->a, &p->err));
    assert_int_equal(n, 10);
    assert_int_equal(bad, 3);
    assert_true(s->ops->plans_page(s, v[9].job_id, 10, false, &v, &n, &bad, &p->a, &p->err));
    assert_int_equal(n, 7); // fewer than asked for: the end
    assert_int_equal(bad, 0);
    s->ops->free(s);
}

static void unreadable_definition_is_reported(void **state)
{
    struct place *p = *state;
    struct store *s = open_store(p);
    job_add(p, s, 1);
    s->ops->free(s);
    tamper(p, "UPDATE jobs SET definition = '{\"name\":'");
    s = open_store(p);
    struct plan *v;
    struct job j;
    size_t n, bad;
    assert_true(s->ops->plans_page(s, ULID_ZERO, 10, false, &v, &n, &bad, &p->a, &p->err));
    assert_int_equal(n, 1); // what fires needs no definition to be planned
    assert_false(s->ops->job_get(s, v[0].job_id, &j, &p->a, &p->err));
    assert_int_equal(p->err.code, ERR_CORRUPT);
    s->ops->free(s);
}

// ---- full disks --------------------------------------------------------------------------------

// The limit on file sizes stands in for a full disk: writing past it fails, nothing else does.
static int fill_the_disk(struct place *p)
{
    struct store *s = open_store(p);
    struct rlimit limit = {.rlim_cur = 512 * 1024, .rlim_max = RLIM_INFINITY},
                  none = {RLIM_INFINITY, RLIM_INFINITY};
    (void)signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return CHILD_WRONG;
    static char big[20000];
    memset(big, 'x', sizeof big);
    int written = 0;
    char key[32];
    bool ok = true;
    for (; ok && written < 1000; written += ok) {
        struct str name = {key, (size_t)snprintf(key, sizeof key, "k%d", written)};
        ok = s->ops->setting_put(s, name, str_of_n(big, sizeof big), &p->err);
    }
    if (ok || p->err.code != ERR_FULL || !strstr(p->err.text, "free disk space"))
        return CHILD_WRONG;
    struct str back;
    if (!s->ops->setting_get(s, STR("k0"), &back, &p->a, &p->err) || back.n != sizeof big)
        return CHILD_WRONG;
    (void)setrlimit(RLIMIT_FSIZE, &none); // room again: the next write works without a restart
    if (!s->ops->setting_put(s, STR("after"), STR("x"), &p->err))
        return CHILD_WRONG;
    s->ops->free(s);
    s = open_store(p);
    for (int i = 0; i < written; i++) {
        struct str name = {key, (size_t)snprintf(key, sizeof key, "k%d", i)};
        if (!s->ops->setting_get(s, name, &back, &p->a, &p->err))
            return CHILD_WRONG;
    }
    bool after = s->ops->setting_get(s, STR("after"), &back, &p->a, &p->err);
    s->ops->free(s);
    return after && written > 5 ? CHILD_OK : CHILD_WRONG;
}

static void full_disk_is_said_and_survived(void **state)
{
    assert_int_equal(in_child(*state, fill_the_disk), CHILD_OK);
}

// ---- killed servers ----------------------------------------------------------------------------

enum { ACKNOWLEDGED = 200 };

static int write_and_die(struct place *p)
{
    struct store *s = open_store(p);
    for (uint64_t i = 0; i < ACKNOWLEDGED; i++)
        job_add(p, s, i);
    (void)raise(SIGKILL);
    return CHILD_WRONG;
}

static void acknowledged_writes_survive_a_kill(void **state)
{
    struct place *p = *state;
    for (int round = 0; round < 3; round++) {
        p->rng.s[0] += 17; // other ids
        assert_int_equal(in_child(p, write_and_die), 128 + CHILD_KILLED);
        struct store *s = open_store(p);
        struct plan *v;
        size_t n, bad;
        assert_true(s->ops->plans_page(s, ULID_ZERO, 4 * ACKNOWLEDGED, true, &v, &n, &bad, &p->a, &p->err));
        assert_int_equal(n, (round + 1) * ACKNOWLEDGED);
        s->ops->free(s);
    }
}

// ---- foreign hands -----------------------------------------------------------------------------

static void foreign_writer_is_waited_for(void **state)
{
    struct place *p = *state;
    struct store *s = open_store(p);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(p->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_false(s->ops->setting_put(s, STR("a"), STR("b"), &p->err));
    assert_int_equal(p->err.code, ERR_BUSY);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_true(s->ops->setting_put(s, STR("a"), STR("b"), &p->err));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    s->ops->free(s);
}

#define CASE(sentence, f)                                                                                    \
    {                                                                                                        \
        .name = (sentence), .test_func = (f), .setup_func = place_setup, .teardown_func = place_teardown     \
    }

int main(void)
{
    static const struct CMUnitTest rows[] = {
        CASE("a missing folder is named with the remedy", missing_folder_is_named),
        CASE("a second server on the same file is refused", second_server_is_refused),
        CASE("a file that is not a database is refused", text_file_is_refused),
        CASE("data of a newer program is refused", newer_schema_is_refused),
        CASE("a schema change that differs from ours is refused", changed_migration_is_refused),
        CASE("a file that may not be written is refused", read_only_file_is_refused),
        CASE("a damaged file is reported as damaged", damaged_file_is_reported),
        CASE("a plan that cannot be read is left out and counted", unreadable_plan_is_left_out),
        CASE("a definition that cannot be read does not stop the plan", unreadable_definition_is_reported),
        CASE("a full disk is said and survived", full_disk_is_said_and_survived),
        CASE("acknowledged writes survive a kill", acknowledged_writes_survive_a_kill),
        CASE("another program's lock is waited for and then said", foreign_writer_is_waited_for),
    };
    return cmocka_run_group_tests_name("sqlite file", rows, NULL, NULL);
}
