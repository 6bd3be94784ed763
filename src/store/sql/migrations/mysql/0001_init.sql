-- SPDX-License-Identifier: Apache-2.0
-- The schema of MySQL and MariaDB; see ../sqlite for the reasons of the tables. Never edit an applied migration: add the
-- next one. Changes of the schema commit one by one here, so each must succeed when it is done again.
--
-- Texts that are compared or sorted are VARBINARY: byte by byte, blanks at the end included, as in every other store.
-- (Both servers have utf8mb4_bin, but it pads with blanks, and they share no collation that does not.) Other texts are
-- utf8mb4, for people who look at the tables.
-- InnoDB keeps a table in the order of its primary key, and has no partial indexes: shelves and deleted_at lead instead.

CREATE TABLE IF NOT EXISTS jobs (
    id BINARY(16) NOT NULL,
    owner_id BINARY(16) NOT NULL,
    name VARBINARY(1024) NOT NULL,
    type VARBINARY(128) NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    last_run BINARY(16),
    run_count BIGINT,
    definition MEDIUMTEXT NOT NULL,
    PRIMARY KEY (id),
    KEY jobs_by_owner (deleted_at, owner_id, id),
    KEY jobs_by_name (deleted_at, name, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS plans (
    job_id BINARY(16) NOT NULL,
    version BIGINT NOT NULL,
    next_fire BIGINT NOT NULL,
    last_run BINARY(16),
    run_count BIGINT NOT NULL,
    PRIMARY KEY (job_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS plan_specs (
    job_id BINARY(16) NOT NULL,
    enabled TINYINT NOT NULL,
    state TINYINT NOT NULL,
    options BIGINT NOT NULL,
    anchor_at BIGINT,
    timeout BIGINT NOT NULL,
    type VARBINARY(128) NOT NULL,
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
    dtstart BIGINT,
    PRIMARY KEY (job_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- shelf: 0 not finished, 1 finished and not succeeded, NULL succeeded. Nearly every run goes from 0 to NULL, so that a
-- finish moves one small entry from the head of the index to its end, where ids rise. The server computes it, so that no
-- statement can forget it. An index on status would move entries twice per run and need a union to be read in order; a
-- plain column would have to be set by every statement; a virtual one costs as much here, and its index is the part of
-- both servers with the worse history.
CREATE TABLE IF NOT EXISTS runs (
    id BINARY(16) NOT NULL,
    job_id BINARY(16) NOT NULL,
    job_version BIGINT NOT NULL,
    status TINYINT NOT NULL,
    scheduled BIGINT NOT NULL,
    first_scheduled BIGINT,
    due BIGINT,
    started BIGINT,
    ended BIGINT,
    token BIGINT NOT NULL,
    attempt INT NOT NULL,
    occurrences BIGINT NOT NULL,
    lost_count INT NOT NULL,
    trigger_kind TINYINT NOT NULL,
    priority INT NOT NULL,
    cancel_requested TINYINT NOT NULL,
    exit_code INT,
    worker VARCHAR(255),
    error_class VARCHAR(255),
    error_message MEDIUMTEXT,
    inputs MEDIUMTEXT,
    run_key BINARY(16),
    prev_run BINARY(16),
    blocked_by BINARY(16),
    shelf TINYINT GENERATED ALWAYS AS (CASE WHEN status < 2 THEN 0 WHEN status > 2 THEN 1 END) STORED,
    PRIMARY KEY (id),
    KEY runs_by_shelf (shelf, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS run_logs (
    run_id BINARY(16) NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    level TINYINT NOT NULL,
    stream TINYINT NOT NULL,
    message MEDIUMTEXT NOT NULL,
    context MEDIUMTEXT,
    PRIMARY KEY (run_id, seq)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS dead_letters (
    id BINARY(16) NOT NULL,
    job_id BINARY(16) NOT NULL,
    job_name TEXT,
    last_run_id BINARY(16),
    run_key BINARY(16),
    scheduled BIGINT,
    reason MEDIUMTEXT,
    error_class TEXT,
    attempts BIGINT NOT NULL,
    job_version BIGINT NOT NULL,
    inputs MEDIUMTEXT,
    created_at BIGINT,
    resolved TINYINT NOT NULL,
    resolved_at BIGINT,
    resolved_by TEXT,
    resolution MEDIUMTEXT,
    replay_run_id BINARY(16),
    definition MEDIUMTEXT,
    replay_definition MEDIUMTEXT,
    PRIMARY KEY (id),
    KEY dead_letters_resolved (resolved, scheduled)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- first_admin: 1 in the row that was put in as the first administrator, as long as it is one. The unique key decides
-- between two that are put in at once.
CREATE TABLE IF NOT EXISTS users (
    id BINARY(16) NOT NULL,
    email VARBINARY(512) NOT NULL,
    password_hash TEXT,
    roles TEXT NOT NULL,
    is_admin TINYINT NOT NULL,
    enabled TINYINT NOT NULL,
    session_epoch BIGINT NOT NULL,
    created_at BIGINT,
    first_admin TINYINT,
    PRIMARY KEY (id),
    UNIQUE KEY users_by_email (email),
    UNIQUE KEY users_first_admin (first_admin)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS sessions (
    token_hash BINARY(32) NOT NULL,
    family BINARY(16) NOT NULL,
    user_id BINARY(16) NOT NULL,
    created_at BIGINT,
    expires_at BIGINT,
    used TINYINT NOT NULL,
    PRIMARY KEY (token_hash),
    KEY sessions_by_family (family),
    KEY sessions_by_user (user_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS settings (
    name VARBINARY(255) NOT NULL,
    value MEDIUMTEXT NOT NULL,
    PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS secrets (
    scope BINARY(16) NOT NULL,
    name VARBINARY(255) NOT NULL,
    owner_id BINARY(16) NOT NULL,
    sealed MEDIUMTEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (scope, name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS memos (
    job_id BINARY(16) NOT NULL,
    name VARBINARY(255) NOT NULL,
    value MEDIUMTEXT NOT NULL,
    PRIMARY KEY (job_id, name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- ---- the cluster: times by the store's clock ----

CREATE TABLE IF NOT EXISTS nodes (
    token BIGINT NOT NULL,
    name VARBINARY(255) NOT NULL,
    holds VARBINARY(255),
    address TEXT,
    version TEXT,
    process TEXT,
    state TINYINT NOT NULL,
    drain_wanted TINYINT NOT NULL,
    slot_view MEDIUMTEXT,
    running BIGINT NOT NULL,
    clock_offset_us BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    renewed_at BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    PRIMARY KEY (token),
    UNIQUE KEY nodes_by_holder (holds)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS changes (
    seq BIGINT NOT NULL AUTO_INCREMENT,
    kind TINYINT NOT NULL,
    subject BINARY(16),
    sender BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (seq)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS duties (
    name VARBINARY(255) NOT NULL,
    token BIGINT NOT NULL,
    term BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS breakers (
    id BINARY(16) NOT NULL,
    target VARCHAR(400) NOT NULL,
    state TINYINT NOT NULL,
    version BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    opens BIGINT NOT NULL,
    since BIGINT NOT NULL,
    wait_until BIGINT NOT NULL,
    node TEXT NOT NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS outbox (
    seq BIGINT NOT NULL AUTO_INCREMENT,
    of_kind TINYINT NOT NULL,
    what TINYINT NOT NULL,
    at BIGINT NOT NULL,
    job_id BINARY(16) NOT NULL,
    run_id BINARY(16),
    run_key BINARY(16),
    job_version BIGINT NOT NULL,
    attempt INT NOT NULL,
    scheduled BIGINT,
    started BIGINT,
    ended BIGINT,
    exit_code INT,
    worker TEXT,
    error_class TEXT,
    error_message MEDIUMTEXT,
    PRIMARY KEY (seq)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
