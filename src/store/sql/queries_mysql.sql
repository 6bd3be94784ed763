-- SPDX-License-Identifier: Apache-2.0
-- What MySQL and MariaDB say differently.
--
-- Rows are counted as matched, whether or not they changed (CLIENT_FOUND_ROWS), so a count of an UPDATE means what it
-- means elsewhere. ON CONFLICT DO NOTHING of a single row is done by the driver and counts 0; INSERT IGNORE would hide
-- every other fault. ON DUPLICATE KEY UPDATE counts 1 for a new row and 1 or 2 for an old one: only statements whose
-- count nobody reads use it. Its assignments, and those of UPDATE, are made from left to right.
-- Transactions read what is committed (READ COMMITTED): a row whose reading decides a later write in the same
-- transaction is read FOR UPDATE.
-- Pairs are compared as (first, second) > (a, b) only where no index is meant to follow: neither server turns that into
-- a range. instr and lower know letters of ASCII only: names are bytes, and Hebrew is a character set of one byte per
-- character whose other letters have no case.

-- The moment itself: SYSDATE, unlike NOW, is not when the statement began. The session's time zone is UTC.
-- let now: TIMESTAMPDIFF(MICROSECOND, '1970-01-01', SYSDATE(6))
-- let teams_of_user: (SELECT GROUP_CONCAT(HEX(m.team_id) SEPARATOR '') FROM team_members m WHERE m.user_id = u.id)
-- let job_joins: JOIN plans p ON p.job_id = j.id JOIN plan_specs x ON x.job_id = j.id LEFT JOIN runs r ON r.id = p.last_run
-- let name_has: instr(lower(CONVERT(j.name USING hebrew)) COLLATE hebrew_bin, lower(CONVERT(CAST(?5 AS BINARY) USING hebrew)))
-- let name_has_3: instr(lower(CONVERT(j.name USING hebrew)) COLLATE hebrew_bin, lower(CONVERT(CAST(?3 AS BINARY) USING hebrew)))
-- let run_columns: id, job_id, job_version, status, scheduled, first_scheduled, due, started, ended, token, attempt, occurrences, lost_count, trigger_kind, priority, cancel_requested, exit_code, worker, error_class, error_message, inputs, run_key, prev_run, blocked_by

-- name: shortcomings
SELECT s.what FROM (
    SELECT @@innodb_flush_log_at_trx_commit <> 1 AS bad,
           CONCAT('innodb_flush_log_at_trx_commit is ', @@innodb_flush_log_at_trx_commit, ', not 1') AS what
    UNION ALL SELECT @@log_bin <> 0 AND @@sync_binlog <> 1, CONCAT('sync_binlog is ', @@sync_binlog, ', not 1')
    UNION ALL SELECT CONCAT(@@innodb_doublewrite) IN ('0', 'OFF'), 'innodb_doublewrite is off') s
WHERE s.bad

-- ---- the hot path ----

-- name: fire_get
SELECT p.last_run FROM plans p WHERE p.job_id = ?1 AND p.next_fire = ?2 AND p.version = ?3 FOR UPDATE
-- name: run_put
INSERT INTO runs ({run_columns})
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)
ON CONFLICT DO NOTHING
-- name: chain_head
SELECT p.last_run FROM plans p WHERE p.job_id = ?1 FOR UPDATE
-- name: finished_plan
SELECT p.job_id, x.options FROM runs r JOIN plans p ON p.job_id = r.job_id JOIN plan_specs x ON x.job_id = p.job_id
WHERE r.id = ?1 AND p.next_fire = 9223372036854775807 FOR UPDATE
-- name: dlq_put
INSERT INTO dead_letters (id, job_id, job_name, last_run_id, run_key, scheduled, reason, error_class, attempts,
    job_version, inputs, created_at, resolved, resolved_at, resolved_by, resolution, replay_run_id, definition,
    replay_definition)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
ON DUPLICATE KEY UPDATE job_name = ?3, last_run_id = ?4, reason = ?7, error_class = ?8, attempts = ?9,
    job_version = ?10, inputs = ?11, created_at = ?12, resolved = ?13, resolved_at = ?14, resolved_by = ?15,
    resolution = ?16, replay_run_id = ?17, definition = ?18, replay_definition = ?19

-- ---- the flush: a JSON array of rows as a table that is read first, row by row in its order; targets by key ----

-- name: fire_rows
SELECT STRAIGHT_JOIN p.job_id, p.last_run
FROM JSON_TABLE(?1, '$[*]' COLUMNS (job_id CHAR(32) PATH '$[0]', expect_next BIGINT PATH '$[1]',
    expect_version BIGINT PATH '$[2]')) v
    JOIN plans p ON p.job_id = UNHEX(v.job_id)
WHERE p.next_fire = v.expect_next AND p.version = v.expect_version FOR UPDATE
-- name: fire_apply_rows
UPDATE JSON_TABLE(?1, '$[*]' COLUMNS (job_id CHAR(32) PATH '$[0]', new_next BIGINT PATH '$[3]',
    last_run CHAR(32) PATH '$[4]', n BIGINT PATH '$[5]')) v
    STRAIGHT_JOIN plans p ON p.job_id = UNHEX(v.job_id)
SET p.next_fire = v.new_next, p.last_run = coalesce(UNHEX(v.last_run), p.last_run), p.run_count = p.run_count + v.n
-- The statements …_each are upserts because those of many rows are run as one, at a fifth of what an UPDATE for each
-- costs. A row that was changed counts two, one that stays as it is or should not be there counts one: then the sum is
-- not two for each, and everything is rolled back. Assignments go from left to right: what is compared changes last.
-- name: fire_each
INSERT INTO plans (job_id, version, next_fire, last_run, run_count) VALUES (?1, ?3, ?4, ?5, ?6)
ON DUPLICATE KEY UPDATE last_run = IF(next_fire = ?2 AND version = ?3, coalesce(?5, last_run), last_run),
    run_count = IF(next_fire = ?2 AND version = ?3, run_count + ?6, run_count),
    next_fire = IF(next_fire = ?2 AND version = ?3, ?4, next_fire)
-- name: run_put_each
INSERT INTO runs ({run_columns})
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)
-- name: claim_each
INSERT INTO runs (id, job_id, job_version, status, scheduled, token, attempt, occurrences, lost_count, trigger_kind,
    priority, cancel_requested)
VALUES (?1, UNHEX(REPEAT('00', 16)), 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
ON DUPLICATE KEY UPDATE started = IF(status = 0, ?2, started),
    worker = IF(status = 0, ?3, worker),
    token = IF(status = 0, ?4, token),
    attempt = IF(status = 0, ?5, attempt),
    status = IF(status = 0, 1, status)
-- name: finish_each
INSERT INTO runs (id, job_id, job_version, status, scheduled, token, attempt, occurrences, lost_count, trigger_kind,
    priority, cancel_requested)
VALUES (?1, UNHEX(REPEAT('00', 16)), 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
ON DUPLICATE KEY UPDATE started = IF(status = ?10 AND token = ?9, coalesce(?3, started), started),
    ended = IF(status = ?10 AND token = ?9, ?4, ended),
    exit_code = IF(status = ?10 AND token = ?9, ?5, exit_code),
    error_class = IF(status = ?10 AND token = ?9, ?6, error_class),
    error_message = IF(status = ?10 AND token = ?9, ?7, error_message),
    job_version = IF(status = ?10 AND token = ?9, ?8, job_version),
    status = IF(status = ?10 AND token = ?9, ?2, status)
-- name: run_put_rows
INSERT INTO runs ({run_columns})
SELECT UNHEX(v.id), UNHEX(v.job_id), v.job_version, v.status, v.scheduled, v.first_scheduled, v.due, v.started,
    v.ended, v.token, v.attempt, v.occurrences, v.lost_count, v.trigger_kind, v.priority, v.cancel_requested,
    v.exit_code, v.worker, v.error_class, v.error_message, v.inputs, UNHEX(v.run_key), UNHEX(v.prev_run),
    UNHEX(v.blocked_by)
FROM JSON_TABLE(?1, '$[*]' COLUMNS (id CHAR(32) PATH '$[0]', job_id CHAR(32) PATH '$[1]',
    job_version BIGINT PATH '$[2]', status BIGINT PATH '$[3]', scheduled BIGINT PATH '$[4]',
    first_scheduled BIGINT PATH '$[5]', due BIGINT PATH '$[6]', started BIGINT PATH '$[7]', ended BIGINT PATH '$[8]',
    token BIGINT PATH '$[9]', attempt BIGINT PATH '$[10]', occurrences BIGINT PATH '$[11]',
    lost_count BIGINT PATH '$[12]', trigger_kind BIGINT PATH '$[13]', priority BIGINT PATH '$[14]',
    cancel_requested BIGINT PATH '$[15]', exit_code BIGINT PATH '$[16]', worker MEDIUMTEXT PATH '$[17]',
    error_class MEDIUMTEXT PATH '$[18]', error_message MEDIUMTEXT PATH '$[19]', inputs MEDIUMTEXT PATH '$[20]',
    run_key CHAR(32) PATH '$[21]', prev_run CHAR(32) PATH '$[22]', blocked_by CHAR(32) PATH '$[23]')) v
-- name: claim_rows
SELECT STRAIGHT_JOIN r.id
FROM JSON_TABLE(?1, '$[*]' COLUMNS (id CHAR(32) PATH '$[0]')) v
    JOIN runs r ON r.id = UNHEX(v.id)
WHERE r.status = 0 FOR UPDATE
-- name: claim_apply_rows
UPDATE JSON_TABLE(?1, '$[*]' COLUMNS (id CHAR(32) PATH '$[0]', started BIGINT PATH '$[1]',
    worker MEDIUMTEXT PATH '$[2]', token BIGINT PATH '$[3]', attempt BIGINT PATH '$[4]')) v
    STRAIGHT_JOIN runs r ON r.id = UNHEX(v.id)
SET r.status = 1, r.started = v.started, r.worker = v.worker, r.token = v.token, r.attempt = v.attempt
-- name: finish_rows
SELECT STRAIGHT_JOIN r.id
FROM JSON_TABLE(?1, '$[*]' COLUMNS (id CHAR(32) PATH '$[0]', token BIGINT PATH '$[8]', expect BIGINT PATH '$[9]')) v
    JOIN runs r ON r.id = UNHEX(v.id)
WHERE r.status = v.expect AND r.token = v.token FOR UPDATE
-- name: finish_apply_rows
UPDATE JSON_TABLE(?1, '$[*]' COLUMNS (id CHAR(32) PATH '$[0]', status BIGINT PATH '$[1]', started BIGINT PATH '$[2]',
    ended BIGINT PATH '$[3]', exit_code BIGINT PATH '$[4]', error_class MEDIUMTEXT PATH '$[5]',
    error_message MEDIUMTEXT PATH '$[6]', job_version BIGINT PATH '$[7]')) v
    STRAIGHT_JOIN runs r ON r.id = UNHEX(v.id)
SET r.status = v.status, r.started = coalesce(v.started, r.started), r.ended = v.ended, r.exit_code = v.exit_code,
    r.error_class = v.error_class, r.error_message = v.error_message, r.job_version = v.job_version
-- name: chain_head_rows
SELECT STRAIGHT_JOIN p.job_id, p.last_run
FROM JSON_TABLE(?1, '$[*]' COLUMNS (job_id CHAR(32) PATH '$[0]')) v JOIN plans p ON p.job_id = UNHEX(v.job_id)
FOR UPDATE
-- name: chain_advance_rows
UPDATE JSON_TABLE(?1, '$[*]' COLUMNS (job_id CHAR(32) PATH '$[0]', last_run CHAR(32) PATH '$[1]',
    n BIGINT PATH '$[2]')) v
    STRAIGHT_JOIN plans p ON p.job_id = UNHEX(v.job_id)
SET p.last_run = UNHEX(v.last_run), p.run_count = p.run_count + v.n
-- name: finished_plan_rows
SELECT STRAIGHT_JOIN r.id, p.job_id, x.options
FROM JSON_TABLE(?1, '$[*]' COLUMNS (id CHAR(32) PATH '$[0]')) v JOIN runs r ON r.id = UNHEX(v.id)
    JOIN plans p ON p.job_id = r.job_id JOIN plan_specs x ON x.job_id = p.job_id
WHERE p.next_fire = 9223372036854775807 FOR UPDATE
-- name: plan_set_next_rows
UPDATE JSON_TABLE(?1, '$[*]' COLUMNS (job_id CHAR(32) PATH '$[0]', next_fire BIGINT PATH '$[1]')) v
    STRAIGHT_JOIN plans p ON p.job_id = UNHEX(v.job_id)
SET p.next_fire = v.next_fire WHERE p.next_fire = 9223372036854775807
-- name: log_put_rows
INSERT INTO run_logs (run_id, seq, at, level, stream, message, context)
SELECT UNHEX(v.run_id), v.seq, v.at, v.level, v.stream, v.message, v.context
FROM JSON_TABLE(?1, '$[*]' COLUMNS (run_id CHAR(32) PATH '$[0]', seq BIGINT PATH '$[1]', at BIGINT PATH '$[2]',
    level BIGINT PATH '$[3]', stream BIGINT PATH '$[4]', message MEDIUMTEXT PATH '$[5]',
    context MEDIUMTEXT PATH '$[6]')) v
ON DUPLICATE KEY UPDATE run_logs.seq = run_logs.seq

-- ---- what the engine loads ----

-- name: plan_get_rows
SELECT {plan} FROM JSON_TABLE(?1, '$[*]' COLUMNS (id CHAR(32) PATH '$[0]')) v
    STRAIGHT_JOIN plans p ON p.job_id = UNHEX(v.id) STRAIGHT_JOIN plan_specs x ON x.job_id = p.job_id
-- name: job_definition_rows
SELECT j.id, j.definition, j.version FROM JSON_TABLE(?1, '$[*]' COLUMNS (id CHAR(32) PATH '$[0]')) v
    STRAIGHT_JOIN jobs j ON j.id = UNHEX(v.id) WHERE j.deleted_at IS NULL
-- name: runs_unfinished
SELECT {run}, (SELECT j.name FROM jobs j WHERE j.id = r.job_id) FROM runs r FORCE INDEX (runs_by_shelf)
WHERE r.shelf = 0 AND r.id > ?1 ORDER BY r.id LIMIT ?2

-- ---- jobs ----

-- name: job_put_rows
INSERT INTO jobs (id, owner_id, name, type, version, created_at, updated_at, definition)
SELECT UNHEX(v.id), UNHEX(v.owner_id), v.name, v.type, v.version, v.created_at, v.updated_at, v.definition
FROM JSON_TABLE(?1, '$[*]' COLUMNS (id CHAR(32) PATH '$[0]', owner_id CHAR(32) PATH '$[1]', name MEDIUMTEXT PATH '$[2]',
    type MEDIUMTEXT PATH '$[3]', version BIGINT PATH '$[4]', created_at BIGINT PATH '$[5]',
    updated_at BIGINT PATH '$[6]', definition MEDIUMTEXT PATH '$[7]')) v
-- name: plan_put_rows
INSERT INTO plans (job_id, version, next_fire, last_run, run_count)
SELECT UNHEX(v.job_id), v.version, v.next_fire, UNHEX(v.last_run), v.run_count
FROM JSON_TABLE(?1, '$[*]' COLUMNS (job_id CHAR(32) PATH '$[0]', version BIGINT PATH '$[1]',
    next_fire BIGINT PATH '$[2]', last_run CHAR(32) PATH '$[3]', run_count BIGINT PATH '$[4]')) v
-- name: spec_put_rows
INSERT INTO plan_specs (job_id, enabled, state, options, anchor_at, timeout, type, interval_seconds,
    interval_ms, cron_expression, timezone, jitter_seconds, misfire_threshold_seconds, max_catch_up, run_at,
    start_at, end_at, rrule, dtstart)
SELECT UNHEX(v.job_id), v.enabled, v.state, v.options, v.anchor_at, v.timeout, v.type, v.interval_seconds,
    v.interval_ms, v.cron_expression, v.timezone, v.jitter_seconds, v.misfire_threshold_seconds,
    v.max_catch_up, v.run_at, v.start_at, v.end_at, v.rrule, v.dtstart
FROM JSON_TABLE(?1, '$[*]' COLUMNS (job_id CHAR(32) PATH '$[0]', enabled BIGINT PATH '$[1]',
    state BIGINT PATH '$[2]', options BIGINT PATH '$[3]', anchor_at BIGINT PATH '$[4]',
    timeout BIGINT PATH '$[5]', type MEDIUMTEXT PATH '$[6]', interval_seconds BIGINT PATH '$[7]',
    interval_ms BIGINT PATH '$[8]', cron_expression MEDIUMTEXT PATH '$[9]', timezone MEDIUMTEXT PATH '$[10]',
    jitter_seconds BIGINT PATH '$[11]', misfire_threshold_seconds BIGINT PATH '$[12]',
    max_catch_up BIGINT PATH '$[13]', run_at BIGINT PATH '$[14]', start_at BIGINT PATH '$[15]',
    end_at BIGINT PATH '$[16]', rrule MEDIUMTEXT PATH '$[17]', dtstart BIGINT PATH '$[18]')) v
-- name: job_mark_deleted
UPDATE jobs SET deleted_at = ?2, updated_at = ?2,
    last_run = (SELECT p.last_run FROM plans p WHERE p.job_id = ?1 FOR UPDATE),
    run_count = (SELECT p.run_count FROM plans p WHERE p.job_id = ?1 FOR UPDATE)
WHERE id = ?1 AND deleted_at IS NULL AND (?3 = 0 OR version = ?3)
-- name: runs_cancel_queued
UPDATE runs FORCE INDEX (runs_by_shelf) SET status = 5, ended = ?2, error_class = ?3, error_message = ?4
WHERE shelf = 0 AND status = 0 AND job_id = ?1
-- The order of the joins is given, or the servers start with plans and sort everything.
-- name: jobs_by_{sort}_{dir}_any
-- each sort: id=j.id {dir};j.id {dir.1} ?2;PRIMARY | update=j.updated_at {dir}, j.id {dir};(j.updated_at, j.id) {dir.1} (?1, ?2);PRIMARY | name=j.name {dir}, j.id {dir};j.name {dir.1}= ?1 AND (j.name {dir.1} ?1 OR j.id {dir.1} ?2);jobs_by_name
-- each dir: asc=ASC;> | desc=DESC;<
SELECT STRAIGHT_JOIN {job}, j.name FROM jobs j FORCE INDEX ({sort.2}) {job_joins}
WHERE j.deleted_at IS NULL AND {sort.1} AND (?4 IS NULL OR j.type = ?4) AND (?5 IS NULL OR {name_has} > 0)
ORDER BY {sort} LIMIT ?3
-- name: jobs_by_{sort}_{dir}_{scope}
-- each scope: owner== ?6 | owners=IN (?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38)
-- each sort: id=j.id {dir};j.id {dir.1} ?2 | update=j.updated_at {dir}, j.id {dir};(j.updated_at, j.id) {dir.1} (?1, ?2) | name=j.name {dir}, j.id {dir};(j.name, j.id) {dir.1} (?1, ?2) | next=p.next_fire {dir}, j.id {dir};(p.next_fire, j.id) {dir.1} (?1, ?2)
-- each dir: asc=ASC;> | desc=DESC;<
SELECT STRAIGHT_JOIN {job}, j.name FROM jobs j FORCE INDEX (jobs_by_owner) {job_joins}
WHERE j.deleted_at IS NULL AND j.owner_id {scope} AND {sort.1} AND (?4 IS NULL OR j.type = ?4)
  AND (?5 IS NULL OR {name_has} > 0)
ORDER BY {sort} LIMIT ?3
-- name: jobs_by_next_{dir}_any
-- each dir: asc=ASC;> | desc=DESC;<
SELECT STRAIGHT_JOIN {job}, j.name
FROM (SELECT o.* FROM plans o WHERE (o.next_fire, o.job_id) {dir.1} (?1, ?2)
        AND ((?4 IS NULL AND ?5 IS NULL) OR EXISTS (SELECT 1 FROM jobs j WHERE j.id = o.job_id
            AND (?4 IS NULL OR j.type = ?4) AND (?5 IS NULL OR {name_has} > 0)))
        ORDER BY o.next_fire {dir}, o.job_id {dir} LIMIT ?3) p
    JOIN jobs j ON j.id = p.job_id JOIN plan_specs x ON x.job_id = j.id LEFT JOIN runs r ON r.id = p.last_run
ORDER BY p.next_fire {dir}, p.job_id {dir}
-- name: jobs_count_any
SELECT count(*) FROM (SELECT 1 FROM jobs j FORCE INDEX (jobs_by_name) WHERE j.deleted_at IS NULL
  AND (?2 IS NULL OR j.type = ?2) AND (?3 IS NULL OR {name_has_3} > 0) LIMIT ?1) n
-- name: jobs_count_{scope}
-- each scope: owner== ?4 | owners=IN (?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36)
SELECT count(*) FROM (SELECT 1 FROM jobs j FORCE INDEX (jobs_by_owner) WHERE j.deleted_at IS NULL
  AND (?2 IS NULL OR j.type = ?2) AND (?3 IS NULL OR {name_has_3} > 0) AND j.owner_id {scope} LIMIT ?1) n

-- ---- runs ----

-- name: runs_active_{dir}
-- each dir: asc=ASC;> | desc=DESC;<
SELECT {run}, j.name, j.owner_id FROM runs r FORCE INDEX (runs_by_shelf) LEFT JOIN jobs j ON j.id = r.job_id
WHERE r.shelf = 0 AND r.id {dir.1} ?1 ORDER BY r.id {dir} LIMIT ?2
-- name: runs_not_succeeded_{dir}
-- each dir: asc=ASC;> | desc=DESC;<
SELECT {run}, j.name, j.owner_id FROM runs r FORCE INDEX (runs_by_shelf) LEFT JOIN jobs j ON j.id = r.job_id
WHERE r.shelf = 1 AND r.id {dir.1} ?1 ORDER BY r.id {dir} LIMIT ?2
-- name: runs_count
SELECT count(*) FROM (SELECT 1 FROM runs LIMIT ?1) n

-- ---- dead letters ----

-- name: dlq_count
SELECT count(*) FROM (SELECT 1 FROM dead_letters d LEFT JOIN jobs j ON j.id = d.job_id
WHERE (?2 < 0 OR d.resolved = ?2) AND (?3 IS NULL OR d.job_id = ?3) AND (?4 IS NULL OR j.owner_id IN (?4, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38))
  AND (?5 IS NULL OR d.error_class = ?5) AND (?6 IS NULL OR d.created_at < ?6) LIMIT ?1) n

-- ---- users, sessions, settings ----

-- name: user_put_first_admin
INSERT INTO users (id, email, password_hash, roles, enabled, session_epoch, created_at, is_admin, first_admin)
SELECT CAST(?1 AS BINARY(16)), ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1 FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM users WHERE is_admin = 1)
ON CONFLICT DO NOTHING
-- name: user_change
UPDATE users SET password_hash = ?2, roles = ?3, enabled = ?4, session_epoch = ?5, is_admin = ?6,
    first_admin = CASE WHEN is_admin = 1 THEN first_admin END
WHERE id = ?1
-- name: user_state
SELECT u.is_admin, u.session_epoch, EXISTS (SELECT 1 FROM users o WHERE o.is_admin = 1 AND o.id <> ?1)
FROM users u WHERE u.id = ?1 FOR UPDATE
-- name: user_lock
SELECT 1 FROM users u WHERE u.id = ?1 FOR UPDATE
-- name: team_lock
SELECT 1 FROM teams t WHERE t.id = ?1 FOR UPDATE
-- name: one_time_put
INSERT INTO one_time_passwords (user_id, valid_until) VALUES (?1, ?2) ON DUPLICATE KEY UPDATE valid_until = ?2
-- name: member_put
INSERT INTO team_members (team_id, user_id, role) VALUES (?1, ?2, ?3) ON DUPLICATE KEY UPDATE role = ?3
-- name: session_get
SELECT s.family, s.user_id, s.expires_at, s.used FROM sessions s WHERE s.token_hash = ?1 FOR UPDATE
-- name: setting_put
INSERT INTO settings VALUES (?1, ?2) ON DUPLICATE KEY UPDATE value = ?2
-- name: secret_put
INSERT INTO secrets VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON DUPLICATE KEY UPDATE owner_id = ?3, sealed = ?4, updated_at = ?6
-- name: memo_job
SELECT r.job_id FROM runs r JOIN jobs j ON j.id = r.job_id
WHERE r.id = ?1 AND r.status = 1 AND r.token = ?2 AND j.deleted_at IS NULL FOR UPDATE
-- name: memo_hold
SELECT 1 FROM jobs WHERE id = ?1 AND deleted_at IS NULL LOCK IN SHARE MODE
-- name: memo_put
INSERT INTO memos VALUES (?1, ?2, ?3) ON DUPLICATE KEY UPDATE value = ?3

-- ---- the cluster ----

-- name: change_put_rows
INSERT INTO changes (kind, subject, sender, at)
SELECT v.kind, UNHEX(v.subject), v.sender, {now}
FROM JSON_TABLE(?1, '$[*]' COLUMNS (kind INT PATH '$[0]', subject CHAR(32) PATH '$[1]', sender BIGINT PATH '$[2]')) v
-- The clock is read once, for the value that would be inserted.
-- name: duty_take
INSERT INTO duties (name, token, term, lease_until) VALUES (?1, ?2, 1, {now} + ?3)
ON DUPLICATE KEY UPDATE
    term = term + (lease_until <= VALUES(lease_until) - ?3),
    token = CASE WHEN lease_until <= VALUES(lease_until) - ?3 THEN ?2 ELSE token END,
    lease_until = CASE WHEN token = ?2 THEN VALUES(lease_until) ELSE lease_until END

-- ---- events for readers outside ----

-- name: outbox_put_run_rows
INSERT INTO outbox ({outbox_run})
SELECT STRAIGHT_JOIN 1, r.status, {now}, r.job_id, r.id, r.run_key, r.job_version, r.attempt, r.scheduled, r.started,
    r.ended, r.exit_code, r.worker, r.error_class, r.error_message
FROM JSON_TABLE(?1, '$[*]' COLUMNS (place FOR ORDINALITY, id CHAR(32) PATH '$[0]')) v JOIN runs r ON r.id = UNHEX(v.id)
ORDER BY v.place
-- name: outbox_put_cancelled
INSERT INTO outbox ({outbox_run})
SELECT 1, 5, {now}, r.job_id, r.id, r.run_key, r.job_version, r.attempt, r.scheduled, r.started, ?2,
    r.exit_code, r.worker, ?3, ?4
FROM runs r FORCE INDEX (runs_by_shelf) WHERE r.shelf = 0 AND r.status = 0 AND r.job_id = ?1 FOR UPDATE
-- name: outbox_remove_rows
DELETE o FROM JSON_TABLE(?1, '$[*]' COLUMNS (seq BIGINT PATH '$[0]')) v STRAIGHT_JOIN outbox o ON o.seq = v.seq

-- ---- notifications ----

-- name: job_deliveries_drop
UPDATE subscriptions s JOIN deliveries d ON d.subscription_id = s.id
SET d.state = 4, d.due = 9223372036854775807, d.ended_at = ?2
WHERE s.job_id = ?1 AND d.due < 9223372036854775807
-- name: notice_put_rows
INSERT INTO notices ({notice})
SELECT v.event, v.at, UNHEX(v.job_id), UNHEX(v.run_id), v.error_class, v.message
FROM JSON_TABLE(?1, '$[*]' COLUMNS (event INT PATH '$[0]', at BIGINT PATH '$[1]', job_id CHAR(32) PATH '$[2]',
    run_id CHAR(32) PATH '$[3]', error_class MEDIUMTEXT PATH '$[4]', message MEDIUMTEXT PATH '$[5]')) v
-- name: notice_put_paused
INSERT INTO notices (event, at, job_id)
SELECT 8, ?2, CAST(?1 AS BINARY(16)) FROM DUAL WHERE EXISTS (SELECT 1 FROM subscriptions s
    WHERE (s.job_id = ?1 OR s.job_id IS NULL) AND (s.wants & 256) <> 0)
-- name: notice_remove_rows
DELETE n FROM JSON_TABLE(?1, '$[*]' COLUMNS (seq BIGINT PATH '$[0]')) v STRAIGHT_JOIN notices n ON n.seq = v.seq
-- name: mark_put
INSERT INTO notice_marks (job_id, subscription_id, due, body) VALUES (?1, ?2, ?3, ?4)
ON DUPLICATE KEY UPDATE due = ?3, body = ?4
-- name: deliveries_count
SELECT count(*) FROM (SELECT 1 FROM deliveries d
WHERE (?2 < 0 OR d.state = ?2) AND (?3 IS NULL OR d.job_id = ?3) AND (?4 IS NULL OR d.owner_id = ?4)
  AND (?5 IS NULL OR d.subscription_id = ?5) LIMIT ?1) n

-- ---- the audit trail ----

-- name: audit_list_{dir}_{scope}
-- each dir: asc=ASC | desc=DESC
-- each scope: any=(?4 IS NULL OR u.entity_type = ?4) AND (?5 IS NULL OR u.entity_id = ?5) AND (?6 IS NULL OR u.action = ?6) AND (?7 IS NULL OR u.actor_id = ?7);PRIMARY | entity=u.entity_type = ?4 AND u.entity_id = ?5 AND (?6 IS NULL OR u.action = ?6) AND (?7 IS NULL OR u.actor_id = ?7);audit_by_entity | action=(?4 IS NULL OR u.entity_type = ?4) AND (?5 IS NULL OR u.entity_id = ?5) AND u.action = ?6 AND (?7 IS NULL OR u.actor_id = ?7);audit_by_action | actor=(?4 IS NULL OR u.entity_type = ?4) AND (?5 IS NULL OR u.entity_id = ?5) AND (?6 IS NULL OR u.action = ?6) AND u.actor_id = ?7;audit_by_actor
SELECT {audit} FROM audit u FORCE INDEX ({scope.1}) WHERE u.id > ?1 AND u.id < ?2 AND {scope}
  AND (?8 IS NULL OR u.actor = ?8) AND (?9 < 0 OR u.outcome = ?9) AND u.at >= ?10 AND u.at < ?11
ORDER BY u.id {dir} LIMIT ?3
-- name: audit_count_{scope}
-- each scope: any=(?4 IS NULL OR u.entity_type = ?4) AND (?5 IS NULL OR u.entity_id = ?5) AND (?6 IS NULL OR u.action = ?6) AND (?7 IS NULL OR u.actor_id = ?7);PRIMARY | entity=u.entity_type = ?4 AND u.entity_id = ?5 AND (?6 IS NULL OR u.action = ?6) AND (?7 IS NULL OR u.actor_id = ?7);audit_by_entity | action=(?4 IS NULL OR u.entity_type = ?4) AND (?5 IS NULL OR u.entity_id = ?5) AND u.action = ?6 AND (?7 IS NULL OR u.actor_id = ?7);audit_by_action | actor=(?4 IS NULL OR u.entity_type = ?4) AND (?5 IS NULL OR u.entity_id = ?5) AND (?6 IS NULL OR u.action = ?6) AND u.actor_id = ?7;audit_by_actor
SELECT count(*) FROM (SELECT 1 FROM audit u FORCE INDEX ({scope.1}) WHERE u.id > ?1 AND u.id < ?2 AND {scope}
  AND (?8 IS NULL OR u.actor = ?8) AND (?9 < 0 OR u.outcome = ?9) AND u.at >= ?10 AND u.at < ?11
LIMIT ?3) c

-- ---- retention ----

-- name: run_remove_rows
DELETE r FROM JSON_TABLE(?1, '$[*]' COLUMNS (id CHAR(32) PATH '$[0]')) v STRAIGHT_JOIN runs r ON r.id = UNHEX(v.id)
-- name: logs_remove_rows
DELETE l FROM JSON_TABLE(?1, '$[*]' COLUMNS (id CHAR(32) PATH '$[0]')) v
    STRAIGHT_JOIN run_logs l ON l.run_id = UNHEX(v.id)
-- name: dlq_trim
DELETE FROM dead_letters WHERE resolved = 1 AND scheduled < ?1 ORDER BY scheduled LIMIT ?2

-- ---- requests that are carried out once ----

-- name: once_trim
DELETE FROM requests_once WHERE created_at <= {now} - ?1 ORDER BY created_at LIMIT ?2
