-- SPDX-License-Identifier: Apache-2.0
-- What copy.sql says differently in PostgreSQL: nothing so far.
-- The walk begins below every number, which a column of small ones could not be compared with.
-- name: read_audit_marks
SELECT {marks} FROM audit_marks WHERE kind >= ?1::bigint AND (kind > ?1::bigint OR slot > ?2::bigint)
ORDER BY kind, slot LIMIT ?3
