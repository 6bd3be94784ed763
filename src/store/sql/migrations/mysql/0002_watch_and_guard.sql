-- SPDX-License-Identifier: Apache-2.0
-- The audit trail, accounts beyond passwords, and telling people.

CREATE TABLE IF NOT EXISTS audit (
    id BINARY(16) NOT NULL,
    seq BIGINT, -- place in the chain; NULL until sealed
    at BIGINT NOT NULL,
    actor_id BINARY(16) NOT NULL,
    actor VARBINARY(320) NOT NULL,
    way VARCHAR(16),
    address VARCHAR(64),
    request_id VARCHAR(64),
    node VARCHAR(64) NOT NULL,
    action VARBINARY(64) NOT NULL,
    entity_type VARBINARY(32) NOT NULL,
    entity_id VARBINARY(256) NOT NULL,
    entity_name TEXT,
    outcome SMALLINT NOT NULL,
    detail TEXT,
    changes MEDIUMTEXT,
    mac BINARY(32) NOT NULL, -- of the record by itself, from the first moment
    chain BINARY(32),        -- of the record and the chain before it
    PRIMARY KEY (id),
    UNIQUE KEY audit_by_seq (seq),
    KEY audit_by_entity (entity_type, entity_id, id),
    KEY audit_by_action (action, id),
    KEY audit_by_actor (actor_id, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
-- Places in the chain. Of kind 0 (the head) and 1 (the anchor) there is one, in slot 0; a checkpoint's slot is its seq.
CREATE TABLE IF NOT EXISTS audit_marks (
    kind SMALLINT NOT NULL,
    slot BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    chain BINARY(32) NOT NULL,
    mac BINARY(32) NOT NULL,
    PRIMARY KEY (kind, slot)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Passwords that an administrator gave: good until an instant, for a sign-in that changes them.
CREATE TABLE IF NOT EXISTS one_time_passwords (
    user_id BINARY(16) NOT NULL,
    valid_until BIGINT NOT NULL,
    PRIMARY KEY (user_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS api_keys (
    id BINARY(16) NOT NULL,
    owner_id BINARY(16) NOT NULL,
    name VARBINARY(400) NOT NULL,
    token_hash BINARY(32) NOT NULL,
    scopes TEXT NOT NULL, -- words with a blank between
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_used BIGINT,
    PRIMARY KEY (id),
    UNIQUE KEY api_keys_by_hash (token_hash),
    KEY api_keys_by_owner (owner_id, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS teams (
    id BINARY(16) NOT NULL,
    name VARBINARY(400) NOT NULL,
    description TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY teams_by_name (name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS team_members (
    team_id BINARY(16) NOT NULL,
    user_id BINARY(16) NOT NULL,
    role SMALLINT NOT NULL, -- enum team_role
    PRIMARY KEY (team_id, user_id),
    KEY team_members_by_user (user_id, team_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- ---- telling people ----

CREATE TABLE IF NOT EXISTS notices (
    seq BIGINT NOT NULL AUTO_INCREMENT,
    event SMALLINT NOT NULL,
    at BIGINT NOT NULL,
    job_id BINARY(16),
    run_id BINARY(16),
    error_class TEXT,
    message TEXT,
    PRIMARY KEY (seq)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS subscriptions (
    id BINARY(16) NOT NULL,
    job_id BINARY(16),
    version BIGINT NOT NULL,
    wants BIGINT NOT NULL, -- events, as bits; 0 while it is turned off
    body MEDIUMTEXT NOT NULL,
    PRIMARY KEY (id),
    KEY subscriptions_by_job (job_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- What the rules remember; job_id is zero for what is of the subscription alone.
CREATE TABLE IF NOT EXISTS notice_marks (
    job_id BINARY(16) NOT NULL,
    subscription_id BINARY(16) NOT NULL,
    due BIGINT NOT NULL,
    body MEDIUMTEXT NOT NULL,
    PRIMARY KEY (job_id, subscription_id),
    KEY notice_marks_by_due (due)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- due is never (the largest number) unless the message is to be tried.
CREATE TABLE IF NOT EXISTS deliveries (
    id BINARY(16) NOT NULL,
    subscription_id BINARY(16) NOT NULL,
    job_id BINARY(16),
    run_id BINARY(16),
    owner_id BINARY(16) NOT NULL,
    event SMALLINT NOT NULL,
    channel VARCHAR(64) NOT NULL,
    state SMALLINT NOT NULL,
    created_at BIGINT NOT NULL,
    due BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    code BIGINT,
    sentence TEXT,
    ended_at BIGINT,
    body MEDIUMTEXT NOT NULL,
    PRIMARY KEY (id),
    KEY deliveries_by_due (subscription_id, due, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Requests with an Idempotency-Key: what they are carried out with is marked in the transaction of their effect.
CREATE TABLE IF NOT EXISTS requests_once (
    id BINARY(32) NOT NULL, -- hash of the caller and the key
    print BINARY(32) NOT NULL, -- hash of the request
    claim BINARY(16) NOT NULL,
    state SMALLINT NOT NULL, -- enum once_state
    lease_until BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    status INT NOT NULL DEFAULT 0,
    headers TEXT,
    body MEDIUMTEXT,
    PRIMARY KEY (id),
    KEY requests_once_by_age (created_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS identities (
    id BINARY(32) NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id BINARY(16) NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
