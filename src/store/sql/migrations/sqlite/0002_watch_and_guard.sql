-- SPDX-License-Identifier: Apache-2.0
-- The audit trail, accounts beyond passwords, and telling people.

CREATE TABLE audit (
    id BLOB NOT NULL PRIMARY KEY,
    seq INTEGER UNIQUE, -- place in the chain; NULL until sealed
    at INTEGER NOT NULL,
    actor_id BLOB NOT NULL,
    actor TEXT NOT NULL,
    way TEXT,
    address TEXT,
    request_id TEXT,
    node TEXT NOT NULL,
    action TEXT NOT NULL,
    entity_type TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    entity_name TEXT,
    outcome INTEGER NOT NULL,
    detail TEXT,
    changes TEXT,
    mac BLOB NOT NULL, -- of the record by itself, from the first moment
    chain BLOB         -- of the record and the chain before it
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_by_entity ON audit (entity_type, entity_id, id);
CREATE INDEX audit_by_action ON audit (action, id);
CREATE INDEX audit_by_actor ON audit (actor_id, id);

-- Places in the chain. Of kind 0 (the head) and 1 (the anchor) there is one, in slot 0; a checkpoint's slot is its seq.
CREATE TABLE audit_marks (
    kind INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    chain BLOB NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (kind, slot)
) STRICT, WITHOUT ROWID;

-- Passwords that an administrator gave: good until an instant, for a sign-in that changes them.
CREATE TABLE one_time_passwords (
    user_id BLOB NOT NULL PRIMARY KEY,
    valid_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    id BLOB NOT NULL PRIMARY KEY,
    owner_id BLOB NOT NULL,
    name TEXT NOT NULL,
    token_hash BLOB NOT NULL UNIQUE,
    scopes TEXT NOT NULL, -- words with a blank between
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX api_keys_by_owner ON api_keys (owner_id, id);

CREATE TABLE teams (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    description TEXT,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE team_members (
    team_id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    role INTEGER NOT NULL, -- enum team_role
    PRIMARY KEY (team_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX team_members_by_user ON team_members (user_id, team_id);

-- ---- telling people ----

CREATE TABLE notices (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    event INTEGER NOT NULL,
    at INTEGER NOT NULL,
    job_id BLOB,
    run_id BLOB,
    error_class TEXT,
    message TEXT
) STRICT;

CREATE TABLE subscriptions (
    id BLOB NOT NULL PRIMARY KEY,
    job_id BLOB,
    version INTEGER NOT NULL,
    wants INTEGER NOT NULL, -- events, as bits; 0 while it is turned off
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX subscriptions_by_job ON subscriptions (job_id);

-- What the rules remember; job_id is zero for what is of the subscription alone.
CREATE TABLE notice_marks (
    job_id BLOB NOT NULL,
    subscription_id BLOB NOT NULL,
    due INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (job_id, subscription_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX notice_marks_by_due ON notice_marks (due);

-- due is never (the largest number) unless the message is to be tried.
CREATE TABLE deliveries (
    id BLOB NOT NULL PRIMARY KEY,
    subscription_id BLOB NOT NULL,
    job_id BLOB,
    run_id BLOB,
    owner_id BLOB NOT NULL,
    event INTEGER NOT NULL,
    channel TEXT NOT NULL,
    state INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    due INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    code INTEGER,
    sentence TEXT,
    ended_at INTEGER,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_by_due ON deliveries (subscription_id, due, id);

-- Requests with an Idempotency-Key: what they are carried out with is marked in the transaction of their effect.
CREATE TABLE requests_once (
    id BLOB NOT NULL PRIMARY KEY, -- hash of the caller and the key
    print BLOB NOT NULL,          -- hash of the request
    claim BLOB NOT NULL,
    state INTEGER NOT NULL,       -- enum once_state
    lease_until INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    status INTEGER NOT NULL DEFAULT 0,
    headers TEXT,
    body TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_once_by_age ON requests_once (created_at);

-- Who an OpenID provider vouches for. id: hash of issuer and subject.
CREATE TABLE identities (
    id BLOB NOT NULL PRIMARY KEY,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
