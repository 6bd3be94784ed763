-- SPDX-License-Identifier: Apache-2.0
-- Times are microseconds since 1970 (UTC); NULL = never. Identifiers are 16 bytes. Booleans are 0 and 1.
-- Never edit an applied migration: add the next one.

-- The wide part of a job. A rowid table: rows of half a kilobyte in a b-tree keyed by the id would make it deep.
CREATE TABLE jobs (
    id BLOB NOT NULL PRIMARY KEY,
    owner_id BLOB NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    last_run BLOB,       -- only when deleted: the head of the chain of runs
    run_count INTEGER,   -- only when deleted
    definition TEXT NOT NULL
);
-- Each index costs every insert; other orders of lists are sorted when asked for.
CREATE INDEX jobs_by_owner ON jobs (owner_id, id) WHERE deleted_at IS NULL;
CREATE INDEX jobs_by_name ON jobs (name, id) WHERE deleted_at IS NULL;

-- What every fire touches, as narrow as can be: a fire rewrites one page of this table, and the more plans a page
-- holds the fewer pages a commit writes. No index on next_fire: the engine holds the due set in memory.
CREATE TABLE plans (
    job_id BLOB NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    next_fire INTEGER NOT NULL, -- 9223372036854775807 = never, so that it can be compared
    last_run BLOB,
    run_count INTEGER NOT NULL
) WITHOUT ROWID;

-- The rest of a plan: read by the engine at start and after an edit.
CREATE TABLE plan_specs (
    job_id BLOB NOT NULL PRIMARY KEY,
    enabled INTEGER NOT NULL,
    state INTEGER NOT NULL,
    options INTEGER NOT NULL,   -- plan_options_pack
    anchor_at INTEGER,
    timeout INTEGER NOT NULL,
    type TEXT NOT NULL,
    interval_seconds INTEGER,
    interval_ms INTEGER,
    cron_expression TEXT,
    timezone TEXT,
    jitter_seconds INTEGER,
    misfire_threshold_seconds INTEGER,
    max_catch_up INTEGER,
    run_at INTEGER,
    start_at INTEGER,
    end_at INTEGER,
    rrule TEXT,
    dtstart INTEGER
) WITHOUT ROWID;

-- One row per attempt. The id begins with the scheduled instant, so inserts are nearly in order, and its uniqueness
-- is the uniqueness of the attempt. No index by job: plans.last_run and prev_run chain the runs of a job.
CREATE TABLE runs (
    id BLOB NOT NULL PRIMARY KEY,
    job_id BLOB NOT NULL,
    job_version INTEGER NOT NULL,
    status INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    first_scheduled INTEGER,    -- NULL = scheduled
    due INTEGER,                -- NULL = scheduled
    started INTEGER,
    ended INTEGER,
    token INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    occurrences INTEGER NOT NULL,
    lost_count INTEGER NOT NULL,
    trigger_kind INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    cancel_requested INTEGER NOT NULL,
    exit_code INTEGER,
    worker TEXT,
    error_class TEXT,
    error_message TEXT,
    inputs TEXT,
    run_key BLOB,
    prev_run BLOB,
    blocked_by BLOB
) WITHOUT ROWID;
CREATE INDEX runs_unfinished ON runs (id) WHERE status < 2;
CREATE INDEX runs_not_succeeded ON runs (id) WHERE status > 2; -- costs nothing while all goes well

CREATE TABLE run_logs (
    run_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    level INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    message TEXT NOT NULL,
    context TEXT,
    PRIMARY KEY (run_id, seq)
) WITHOUT ROWID;

CREATE TABLE dead_letters (
    id BLOB NOT NULL PRIMARY KEY,
    job_id BLOB NOT NULL,
    job_name TEXT,
    last_run_id BLOB,
    run_key BLOB,
    scheduled INTEGER,
    reason TEXT,
    error_class TEXT,
    attempts INTEGER NOT NULL,
    job_version INTEGER NOT NULL,
    inputs TEXT,
    created_at INTEGER,
    resolved INTEGER NOT NULL,
    resolved_at INTEGER,
    resolved_by TEXT,
    resolution TEXT,
    replay_run_id BLOB,
    definition TEXT,
    replay_definition TEXT
);
CREATE INDEX dead_letters_open ON dead_letters (id) WHERE resolved = 0;
CREATE INDEX dead_letters_resolved ON dead_letters (scheduled) WHERE resolved = 1;

CREATE TABLE users (
    id BLOB NOT NULL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    password_hash TEXT,
    roles TEXT NOT NULL,        -- words with a blank between
    is_admin INTEGER NOT NULL,  -- enabled and ADMIN
    enabled INTEGER NOT NULL,
    session_epoch INTEGER NOT NULL,
    created_at INTEGER
) WITHOUT ROWID;

CREATE TABLE sessions (
    token_hash BLOB NOT NULL PRIMARY KEY,
    family BLOB NOT NULL,
    user_id BLOB NOT NULL,
    created_at INTEGER,
    expires_at INTEGER,
    used INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_by_family ON sessions (family);
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE settings (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Values that are sealed with a key which is not in the database. scope: the user whose jobs may use it; zeros: all.
CREATE TABLE secrets (
    scope BLOB NOT NULL,
    name TEXT NOT NULL,
    owner_id BLOB NOT NULL,
    sealed TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (scope, name)
) WITHOUT ROWID;

-- What a job remembers from run to run.
CREATE TABLE memos (
    job_id BLOB NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (job_id, name)
);

-- ---- the cluster: times by the store's clock ----

CREATE TABLE nodes (
    token INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    holds TEXT UNIQUE,          -- the name, until somebody else takes it after the lease has ended
    address TEXT,
    version TEXT,
    process TEXT,
    state INTEGER NOT NULL,
    drain_wanted INTEGER NOT NULL,
    slot_view TEXT,
    running INTEGER NOT NULL,
    clock_offset_us INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    renewed_at INTEGER NOT NULL,
    lease_until INTEGER NOT NULL
);

-- What nodes tell each other, kept for minutes. Rows become visible when their transaction ends, so a lower seq may
-- appear after a higher one: readers look again at what they may have missed.
CREATE TABLE changes (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind INTEGER NOT NULL,
    subject BLOB,
    sender INTEGER NOT NULL,
    at INTEGER NOT NULL
);

CREATE TABLE duties (
    name TEXT NOT NULL PRIMARY KEY,
    token INTEGER NOT NULL,
    term INTEGER NOT NULL,
    lease_until INTEGER NOT NULL
) WITHOUT ROWID;

-- Circuit breakers that are not closed, or were not a while ago.
CREATE TABLE breakers (
    id BLOB NOT NULL PRIMARY KEY,
    target TEXT NOT NULL,
    state INTEGER NOT NULL,
    version INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    opens INTEGER NOT NULL,
    since INTEGER NOT NULL,
    wait_until INTEGER NOT NULL,
    node TEXT NOT NULL
) WITHOUT ROWID;

-- Events for readers outside, until they have been passed on. The row of a job or run is written first, so events of one
-- job have rising seqs.
CREATE TABLE outbox (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    of_kind INTEGER NOT NULL,
    what INTEGER NOT NULL,
    at INTEGER NOT NULL,
    job_id BLOB NOT NULL,
    run_id BLOB,
    run_key BLOB,
    job_version INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    scheduled INTEGER,
    started INTEGER,
    ended INTEGER,
    exit_code INTEGER,
    worker TEXT,
    error_class TEXT,
    error_message TEXT
);
