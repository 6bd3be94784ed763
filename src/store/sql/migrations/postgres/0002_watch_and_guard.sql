-- SPDX-License-Identifier: Apache-2.0
-- The audit trail, accounts beyond passwords, and telling people.

CREATE TABLE audit (
    id BYTEA NOT NULL PRIMARY KEY,
    seq BIGINT UNIQUE, -- place in the chain; NULL until sealed
    at BIGINT NOT NULL,
    actor_id BYTEA NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    way TEXT,
    address TEXT,
    request_id TEXT,
    node TEXT NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    entity_type TEXT COLLATE "C" NOT NULL,
    entity_id TEXT COLLATE "C" NOT NULL,
    entity_name TEXT,
    outcome SMALLINT NOT NULL,
    detail TEXT,
    changes TEXT,
    mac BYTEA NOT NULL, -- of the record by itself, from the first moment
    chain BYTEA         -- of the record and the chain before it
);
