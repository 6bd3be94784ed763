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
