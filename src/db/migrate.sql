-- SPDX-License-Identifier: Apache-2.0
-- The table of applied migrations; the same on every engine. applied_at is -1 while one is being applied that commits by
-- itself, statement by statement.
-- name: table
CREATE TABLE IF NOT EXISTS schema_migrations (
    version INTEGER NOT NULL PRIMARY KEY,
    name VARCHAR(100) NOT NULL,
    checksum VARCHAR(32) NOT NULL,
    applied_at BIGINT NOT NULL
)
-- name: list
SELECT version, name, checksum, applied_at FROM schema_migrations ORDER BY version
-- name: insert
INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)
-- name: finish
UPDATE schema_migrations SET applied_at = ?2 WHERE version = ?1
