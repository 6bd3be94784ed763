-- SPDX-License-Identifier: Apache-2.0
-- The schema of PostgreSQL; see ../sqlite for the reasons of the tables. Never edit an applied migration: add the next
-- one.
-- Text that is sorted or has an index is COLLATE "C": bytewise, as in every store, and the same after an update of the
-- operating system's collations.

CREATE TABLE jobs (
    id BYTEA NOT NULL PRIMARY KEY,
    owner_id BYTEA NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    type TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    last_run BYTEA,
    run_count BIGINT,
    definition TEXT NOT NULL
);
CREATE INDEX jobs_by_owner ON jobs (owner_id, id) WHERE deleted_at IS NULL;
CREATE INDEX jobs_by_name ON jobs (name, id) WHERE deleted_at IS NULL;

-- Every fire rewrites a row: room in each page lets the new version stay beside the old one without touching the index,
-- and vacuum comes early and often, while it is cheap.
CREATE TABLE plans (
    job_id BYTEA NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    next_fire BIGINT NOT NULL,
    last_run BYTEA,
    run_count BIGINT NOT NULL,
    prev_head BYTEA             -- last_run before the last fire: an UPDATE cannot return what it replaced
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);

CREATE TABLE plan_specs (
    job_id BYTEA NOT NULL PRIMARY KEY,
    enabled SMALLINT NOT NULL,
    state SMALLINT NOT NULL,
    options BIGINT NOT NULL,
    anchor_at BIGINT,
    timeout BIGINT NOT NULL,
    type TEXT NOT NULL,
    interval_seconds BIGINT,
    interval_ms BIGINT,
    cron_expression TEXT,
    timezone TEXT,
    jitter_seconds BIGINT,
    misfire_threshold_seconds BIGINT,
    max_catch_up BIGINT,
    run_at BIGINT,
    start_at BIGINT,
    end_at BIGINT,
    rrule TEXT,
    dtstart BIGINT
);

CREATE TABLE runs (
    id BYTEA NOT NULL PRIMARY KEY,
    job_id BYTEA NOT NULL,
    job_version BIGINT NOT NULL,
    status SMALLINT NOT NULL,
    scheduled BIGINT NOT NULL,
    first_scheduled BIGINT,
    due BIGINT,
    started BIGINT,
    ended BIGINT,
    token BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    occurrences BIGINT NOT NULL,
    lost_count BIGINT NOT NULL,
    trigger_kind SMALLINT NOT NULL,
    priority SMALLINT NOT NULL,
    cancel_requested SMALLINT NOT NULL,
    exit_code BIGINT,
    worker TEXT,
    error_class TEXT,
    error_message TEXT,
    inputs TEXT,
    run_key BYTEA,
    prev_run BYTEA,
    blocked_by BYTEA
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE INDEX runs_unfinished ON runs (id) WHERE status < 2;
CREATE INDEX runs_not_succeeded ON runs (id) WHERE status > 2;

CREATE TABLE run_logs (
    run_id BYTEA NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    level SMALLINT NOT NULL,
    stream SMALLINT NOT NULL,
    message TEXT NOT NULL,
    context TEXT,
    PRIMARY KEY (run_id, seq)
);

CREATE TABLE dead_letters (
    id BYTEA NOT NULL PRIMARY KEY,
    job_id BYTEA NOT NULL,
    job_name TEXT,
    last_run_id BYTEA,
    run_key BYTEA,
    scheduled BIGINT,
    reason TEXT,
    error_class TEXT,
    attempts BIGINT NOT NULL,
    job_version BIGINT NOT NULL,
    inputs TEXT,
    created_at BIGINT,
    resolved SMALLINT NOT NULL,
    resolved_at BIGINT,
    resolved_by TEXT,
    resolution TEXT,
    replay_run_id BYTEA,
    definition TEXT,
    replay_definition TEXT
);
CREATE INDEX dead_letters_open ON dead_letters (id) WHERE resolved = 0;
CREATE INDEX dead_letters_resolved ON dead_letters (scheduled) WHERE resolved = 1;

CREATE TABLE users (
    id BYTEA NOT NULL PRIMARY KEY,
    email TEXT COLLATE "C" NOT NULL UNIQUE,
    password_hash TEXT,
    roles TEXT NOT NULL,
    is_admin SMALLINT NOT NULL,
    enabled SMALLINT NOT NULL,
    session_epoch BIGINT NOT NULL,
    created_at BIGINT
);

CREATE TABLE sessions (
    token_hash BYTEA NOT NULL PRIMARY KEY,
    family BYTEA NOT NULL,
    user_id BYTEA NOT NULL,
    created_at BIGINT,
    expires_at BIGINT,
    used SMALLINT NOT NULL
);
CREATE INDEX sessions_by_family ON sessions (family);
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE settings (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE secrets (
    scope BYTEA NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner_id BYTEA NOT NULL,
    sealed TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (scope, name)
);

CREATE TABLE memos (
    job_id BYTEA NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (job_id, name)
);

-- ---- the cluster: times by the store's clock ----

CREATE TABLE nodes (
    token BIGINT NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    holds TEXT COLLATE "C" UNIQUE,
    address TEXT,
    version TEXT,
    process TEXT,
    state SMALLINT NOT NULL,
    drain_wanted SMALLINT NOT NULL,
    slot_view TEXT,
    running BIGINT NOT NULL,
    clock_offset_us BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    renewed_at BIGINT NOT NULL,
    lease_until BIGINT NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 100);

CREATE TABLE changes (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind SMALLINT NOT NULL,
    subject BYTEA,
    sender BIGINT NOT NULL,
    at BIGINT NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

CREATE TABLE duties (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    token BIGINT NOT NULL,
    term BIGINT NOT NULL,
    lease_until BIGINT NOT NULL
);

CREATE TABLE breakers (
    id BYTEA NOT NULL PRIMARY KEY,
    target TEXT NOT NULL,
    state SMALLINT NOT NULL,
    version BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    opens BIGINT NOT NULL,
    since BIGINT NOT NULL,
    wait_until BIGINT NOT NULL,
    node TEXT NOT NULL
);

CREATE TABLE outbox (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    of_kind SMALLINT NOT NULL,
    what SMALLINT NOT NULL,
    at BIGINT NOT NULL,
    job_id BYTEA NOT NULL,
    run_id BYTEA,
    run_key BYTEA,
    job_version BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    scheduled BIGINT,
    started BIGINT,
    ended BIGINT,
    exit_code BIGINT,
    worker TEXT,
    error_class TEXT,
    error_message TEXT
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
