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
    UNIQUE KEY audit_by_seq (seq)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
