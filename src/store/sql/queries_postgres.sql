-- SPDX-License-Identifier: Apache-2.0
-- What PostgreSQL says differently. A parameter gets its type where it meets a column; the first time it is only asked
-- for NULL it is told (::text). Isolation is READ COMMITTED: rows that decide a later write are locked when they are
-- read.

-- let teams_of_user: (SELECT string_agg(encode(m.team_id, 'hex'), '') FROM team_members m WHERE m.user_id = u.id)
-- let user_match: (?1::text IS NULL OR strpos(u.email, ?1) > 0) AND (?2::text IS NULL OR strpos(u.roles, ?2) > 0) AND (?3::smallint < 0 OR u.enabled = ?3)
-- let now: CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)

-- name: shortcomings
SELECT 'fsync is off' WHERE current_setting('fsync') = 'off'
UNION ALL SELECT 'full_page_writes is off' WHERE current_setting('full_page_writes') = 'off'
UNION ALL SELECT 'synchronous_commit is off' WHERE current_setting('synchronous_commit') = 'off'

-- ---- the hot path ----

-- name: fire_get
SELECT p.last_run FROM plans p WHERE p.job_id = ?1 AND p.next_fire = ?2 AND p.version = ?3 FOR UPDATE
-- name: chain_head
SELECT p.last_run FROM plans p WHERE p.job_id = ?1 FOR UPDATE

-- ---- the flush: arrays as tables; the order of the arrays is the order of the locks ----

-- name: fire_rows
UPDATE plans p SET next_fire = u.new_next, prev_head = p.last_run, last_run = coalesce(u.last_run, p.last_run),
    run_count = p.run_count + u.n
FROM unnest(?1::bytea[], ?2::bigint[], ?3::bigint[], ?4::bigint[], ?5::bytea[], ?6::bigint[])
    AS u (job_id, expect_next, expect_version, new_next, last_run, n)
WHERE p.job_id = u.job_id AND p.next_fire = u.expect_next AND p.version = u.expect_version
RETURNING p.job_id, p.prev_head
-- name: run_put_rows
INSERT INTO runs SELECT * FROM unnest(?1::bytea[], ?2::bytea[], ?3::bigint[], ?4::smallint[], ?5::bigint[], ?6::bigint[],
    ?7::bigint[], ?8::bigint[], ?9::bigint[], ?10::bigint[], ?11::bigint[], ?12::bigint[], ?13::bigint[],
    ?14::smallint[], ?15::smallint[], ?16::smallint[], ?17::bigint[], ?18::text[], ?19::text[], ?20::text[],
    ?21::text[], ?22::bytea[], ?23::bytea[], ?24::bytea[])
-- name: run_start_rows
INSERT INTO runs (id, job_id, job_version, scheduled, due, priority, run_key, prev_run, status, started, token, worker,
    attempt, occurrences, lost_count, trigger_kind, cancel_requested)
SELECT u.*, 1, ?9::bigint, ?10::bigint, ?11::text, 1, 1, 0, 0, 0
FROM unnest(?1::bytea[], ?2::bytea[], ?3::bigint[], ?4::bigint[], ?5::bigint[], ?6::smallint[], ?7::bytea[],
    ?8::bytea[]) AS u
-- Not "status = 0", here and below: where the statistics know of next to no unfinished runs, because they are of an hour
-- without work, PostgreSQL would walk the index of unfinished runs and compare every one of them with every row.
-- name: claim_rows
UPDATE runs r SET status = 1, started = u.started, worker = u.worker, token = u.token, attempt = u.attempt
FROM unnest(?1::bytea[], ?2::bigint[], ?3::text[], ?4::bigint[], ?5::bigint[])
    AS u (id, started, worker, token, attempt)
WHERE r.id = u.id AND r.status + 0 = 0
RETURNING r.id
-- name: finish_rows
UPDATE runs r SET status = u.status, started = coalesce(u.started, r.started), ended = u.ended, exit_code = u.exit_code,
    error_class = u.error_class, error_message = u.error_message, job_version = u.job_version
FROM unnest(?1::bytea[], ?2::smallint[], ?3::bigint[], ?4::bigint[], ?5::bigint[], ?6::text[], ?7::text[], ?8::bigint[],
    ?9::bigint[], ?10::smallint[])
    AS u (id, status, started, ended, exit_code, error_class, error_message, job_version, token, expect)
WHERE r.id = u.id AND r.status = u.expect AND r.token = u.token
RETURNING r.id
-- name: succeed_rows
UPDATE runs r SET status = 2, started = coalesce(u.started, r.started), ended = u.ended, exit_code = u.exit_code,
    job_version = u.job_version
FROM unnest(?1::bytea[], ?2::bigint[], ?3::bigint[], ?4::bigint[], ?5::bigint[])
    AS u (id, started, ended, exit_code, job_version)
WHERE r.id = u.id AND r.status + 0 = 1 AND r.token = ?6::bigint
RETURNING r.id
-- name: succeed_all_rows
UPDATE runs r SET status = 2, started = coalesce(u.started, r.started), ended = u.ended, exit_code = u.exit_code,
    job_version = u.job_version
FROM unnest(?1::bytea[], ?2::bigint[], ?3::bigint[], ?4::bigint[], ?5::bigint[])
    AS u (id, started, ended, exit_code, job_version)
WHERE r.id = u.id AND r.status + 0 = 1 AND r.token = ?6::bigint
-- name: chain_head_rows
SELECT p.job_id, p.last_run FROM unnest(?1::bytea[]) AS u (job_id) JOIN plans p ON p.job_id = u.job_id FOR UPDATE OF p
-- name: chain_advance_rows
UPDATE plans p SET last_run = u.last_run, run_count = p.run_count + u.n
FROM unnest(?1::bytea[], ?2::bytea[], ?3::bigint[]) AS u (job_id, last_run, n) WHERE p.job_id = u.job_id
-- name: finished_plan_rows
SELECT r.id, p.job_id, x.options FROM unnest(?1::bytea[]) AS u (id) JOIN runs r ON r.id = u.id
    JOIN plans p ON p.job_id = r.job_id JOIN plan_specs x ON x.job_id = p.job_id
WHERE p.next_fire = 9223372036854775807
-- name: plan_set_next_rows
UPDATE plans p SET next_fire = u.next_fire FROM unnest(?1::bytea[], ?2::bigint[]) AS u (job_id, next_fire)
WHERE p.job_id = u.job_id AND p.next_fire = 9223372036854775807
-- name: log_put_rows
INSERT INTO run_logs SELECT * FROM unnest(?1::bytea[], ?2::bigint[], ?3::bigint[], ?4::smallint[], ?5::smallint[],
    ?6::text[], ?7::text[]) ON CONFLICT DO NOTHING

-- ---- what the engine loads ----

-- Both tables begin behind the same key, whichever the planner takes first.
-- name: plans_page_{scope}
-- each scope: due=AND x.enabled = 1 AND x.state = 0 | all=
SELECT {plan} {plan_from} WHERE p.job_id > ?1 AND x.job_id > ?1 {scope} ORDER BY p.job_id LIMIT ?2
-- name: plan_get_rows
SELECT {plan} {plan_from} WHERE p.job_id = ANY (?1::bytea[])
-- name: job_definition_rows
SELECT j.id, j.definition, j.version FROM jobs j WHERE j.id = ANY (?1::bytea[]) AND j.deleted_at IS NULL
-- name: runs_unfinished
SELECT {run}, (SELECT j.name FROM jobs j WHERE j.id = r.job_id) FROM runs r
WHERE r.status < 2 AND r.id > ?1 ORDER BY r.id LIMIT ?2

-- ---- jobs ----

-- name: job_put_rows
INSERT INTO jobs (id, owner_id, name, type, version, created_at, updated_at, definition)
SELECT * FROM unnest(?1::bytea[], ?2::bytea[], ?3::text[], ?4::text[], ?5::bigint[], ?6::bigint[], ?7::bigint[],
    ?8::text[])
-- name: plan_put_rows
INSERT INTO plans (job_id, version, next_fire, last_run, run_count)
SELECT * FROM unnest(?1::bytea[], ?2::bigint[], ?3::bigint[], ?4::bytea[], ?5::bigint[])
-- name: spec_put_rows
INSERT INTO plan_specs (job_id, enabled, state, options, anchor_at, timeout, type, interval_seconds,
    interval_ms, cron_expression, timezone, jitter_seconds, misfire_threshold_seconds, max_catch_up, run_at,
    start_at, end_at, rrule, dtstart)
SELECT * FROM unnest(?1::bytea[], ?2::smallint[], ?3::smallint[], ?4::bigint[], ?5::bigint[], ?6::bigint[],
    ?7::text[], ?8::bigint[], ?9::bigint[], ?10::text[], ?11::text[], ?12::bigint[], ?13::bigint[],
    ?14::bigint[], ?15::bigint[], ?16::bigint[], ?17::bigint[], ?18::text[], ?19::bigint[])
-- name: job_mark_deleted
UPDATE jobs SET deleted_at = ?2, updated_at = ?2,
    last_run = (SELECT p.last_run FROM plans p WHERE p.job_id = ?1),
    run_count = (SELECT p.run_count FROM plans p WHERE p.job_id = ?1)
WHERE id = ?1 AND deleted_at IS NULL AND (?3::bigint = 0 OR version = ?3)
-- name: runs_cancel_queued
UPDATE runs SET status = 5, ended = ?2, error_class = ?3, error_message = ?4
WHERE status < 2 AND status = 0 AND job_id = ?1
-- name: jobs_by_{sort}_{dir}_{scope}
-- each sort: id=j.id {dir};j.id {dir.1} ?2 AND (?1::bigint IS NULL OR TRUE) | update=j.updated_at {dir}, j.id {dir};(j.updated_at, j.id) {dir.1} (?1, ?2) | name=j.name {dir}, j.id {dir};(j.name, j.id) {dir.1} (?1, ?2)
-- each dir: asc=ASC;> | desc=DESC;<
-- each scope: any= | owner=AND j.owner_id = ?6 | owners=AND j.owner_id IN (?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38)
SELECT {job}, j.name {job_from}
WHERE j.deleted_at IS NULL AND {sort.1} AND (?4::text IS NULL OR j.type = ?4)
  AND (?5::text IS NULL OR strpos(lower(j.name), lower(?5 COLLATE "C")) > 0) {scope}
ORDER BY {sort} LIMIT ?3
-- name: jobs_by_next_{dir}_any
-- each dir: asc=ASC;> | desc=DESC;<
SELECT {job}, j.name
FROM (SELECT * FROM plans o WHERE (o.next_fire, o.job_id) {dir.1} (?1, ?2)
        AND ((?4::text IS NULL AND ?5::text IS NULL) OR EXISTS (SELECT 1 FROM jobs f WHERE f.id = o.job_id
            AND (?4::text IS NULL OR f.type = ?4)
            AND (?5::text IS NULL OR strpos(lower(f.name), lower(?5 COLLATE "C")) > 0)))
        ORDER BY o.next_fire {dir}, o.job_id {dir} LIMIT ?3) p
    JOIN jobs j ON j.id = p.job_id JOIN plan_specs x ON x.job_id = j.id LEFT JOIN runs r ON r.id = p.last_run
ORDER BY p.next_fire {dir}, p.job_id {dir}
-- name: jobs_by_next_{dir}_{scope}
-- each scope: owner== ?6 | owners=IN (?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38)
-- each dir: asc=ASC;> | desc=DESC;<
SELECT {job}, j.name {job_from}
WHERE j.deleted_at IS NULL AND j.owner_id {scope} AND (p.next_fire, j.id) {dir.1} (?1, ?2)
  AND (?4::text IS NULL OR j.type = ?4)
  AND (?5::text IS NULL OR strpos(lower(j.name), lower(?5 COLLATE "C")) > 0)
ORDER BY p.next_fire {dir}, j.id {dir} LIMIT ?3
-- name: jobs_count_{scope}
-- each scope: any= | owner=AND j.owner_id = ?4 | owners=AND j.owner_id IN (?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36)
SELECT count(*) FROM (SELECT 1 FROM jobs j WHERE j.deleted_at IS NULL AND (?2::text IS NULL OR j.type = ?2)
  AND (?3::text IS NULL OR strpos(lower(j.name), lower(?3 COLLATE "C")) > 0) {scope} LIMIT ?1) c

-- ---- runs ----

-- name: runs_active_{dir}
-- each dir: asc=ASC;> | desc=DESC;<
SELECT {run}, j.name, j.owner_id FROM runs r LEFT JOIN jobs j ON j.id = r.job_id
WHERE r.status < 2 AND r.id {dir.1} ?1 ORDER BY r.id {dir} LIMIT ?2
-- name: runs_not_succeeded_{dir}
-- each dir: asc=ASC;> | desc=DESC;<
SELECT {run}, j.name, j.owner_id FROM runs r LEFT JOIN jobs j ON j.id = r.job_id
WHERE r.status > 2 AND r.id {dir.1} ?1 ORDER BY r.id {dir} LIMIT ?2
-- name: runs_count
SELECT count(*) FROM (SELECT 1 FROM runs LIMIT ?1) c

-- ---- dead letters ----

-- name: dlq_list_{dir}
-- each dir: asc=ASC;> | desc=DESC;<
SELECT {dlq} FROM dead_letters d LEFT JOIN jobs j ON j.id = d.job_id
WHERE d.id {dir.1} ?1 AND (?3 < 0 OR d.resolved = ?3) AND (?4::bytea IS NULL OR d.job_id = ?4)
  AND (?5::bytea IS NULL OR j.owner_id IN (?5, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39)) AND (?6::text IS NULL OR d.error_class = ?6)
  AND (?7::bigint IS NULL OR d.created_at < ?7)
ORDER BY d.id {dir} LIMIT ?2
-- name: dlq_count
SELECT count(*) FROM (SELECT 1 FROM dead_letters d LEFT JOIN jobs j ON j.id = d.job_id
WHERE (?2 < 0 OR d.resolved = ?2) AND (?3::bytea IS NULL OR d.job_id = ?3)
  AND (?4::bytea IS NULL OR j.owner_id IN (?4, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38)) AND (?5::text IS NULL OR d.error_class = ?5)
  AND (?6::bigint IS NULL OR d.created_at < ?6) LIMIT ?1) c

-- ---- users, API keys and teams ----

-- name: user_state
SELECT u.is_admin, u.session_epoch,
    CASE WHEN EXISTS (SELECT 1 FROM users o WHERE o.is_admin = 1 AND o.id <> ?1) THEN 1 ELSE 0 END
FROM users u WHERE u.id = ?1 FOR UPDATE OF u
-- name: user_lock
SELECT 1 FROM users u WHERE u.id = ?1 FOR UPDATE
-- name: team_lock
SELECT 1 FROM teams t WHERE t.id = ?1 FOR UPDATE
-- name: api_keys_list_{dir}
-- each dir: asc=ASC;> | desc=DESC;<
SELECT {api_key} FROM api_keys k
WHERE k.id {dir.1} ?2 AND (?1::bytea IS NULL OR k.owner_id = ?1) ORDER BY k.id {dir} LIMIT ?3
-- name: api_keys_count
SELECT count(*) FROM (SELECT 1 FROM api_keys k WHERE (?1::bytea IS NULL OR k.owner_id = ?1) LIMIT ?2) n
-- name: teams_list_{dir}
-- each dir: asc=ASC;> | desc=DESC;<
SELECT {team} FROM teams t WHERE t.id {dir.1} ?2
  AND (?1::bytea IS NULL OR EXISTS (SELECT 1 FROM team_members m WHERE m.user_id = ?1 AND m.team_id = t.id))
ORDER BY t.id {dir} LIMIT ?3
-- name: teams_count
SELECT count(*) FROM (SELECT 1 FROM teams t
WHERE (?1::bytea IS NULL OR EXISTS (SELECT 1 FROM team_members m WHERE m.user_id = ?1 AND m.team_id = t.id)) LIMIT ?2) n

-- ---- secrets and memos ----

-- name: memo_job
SELECT r.job_id FROM runs r JOIN jobs j ON j.id = r.job_id
WHERE r.id = ?1 AND r.status = 1 AND r.token = ?2 AND j.deleted_at IS NULL FOR SHARE
-- name: memo_hold
SELECT 1 FROM jobs WHERE id = ?1 AND deleted_at IS NULL FOR SHARE

-- ---- the cluster ----

-- name: change_put_rows
INSERT INTO changes (kind, subject, sender, at)
SELECT u.kind, u.subject, u.sender, {now}
FROM unnest(?1::smallint[], ?2::bytea[], ?3::bigint[]) WITH ORDINALITY AS u (kind, subject, sender, n) ORDER BY u.n
-- name: changes_notify
NOTIFY chronos_changes

-- ---- events for readers outside ----

-- name: outbox_put_run_rows
INSERT INTO outbox ({outbox_run})
SELECT 1, r.status, {now}, r.job_id, r.id, r.run_key, r.job_version, r.attempt, r.scheduled, r.started, r.ended,
    r.exit_code, r.worker, r.error_class, r.error_message
FROM unnest(?1::bytea[]) WITH ORDINALITY AS u (id, n) JOIN runs r ON r.id = u.id ORDER BY u.n
-- name: outbox_put_cancelled
INSERT INTO outbox ({outbox_run})
SELECT 1, 5, {now}, r.job_id, r.id, r.run_key, r.job_version, r.attempt, r.scheduled, r.started, ?2,
    r.exit_code, r.worker, ?3, ?4
FROM runs r WHERE r.status < 2 AND r.status = 0 AND r.job_id = ?1
-- name: outbox_remove_rows
DELETE FROM outbox WHERE seq = ANY (?1::bigint[])

-- ---- notifications ----

-- name: notice_put_rows
INSERT INTO notices ({notice})
SELECT u.* FROM unnest(?1::smallint[], ?2::bigint[], ?3::bytea[], ?4::bytea[], ?5::text[], ?6::text[]) AS u
-- name: notice_put_paused
INSERT INTO notices (event, at, job_id)
SELECT 8, ?2::bigint, ?1::bytea WHERE EXISTS (SELECT 1 FROM subscriptions s
    WHERE (s.job_id = ?1 OR s.job_id IS NULL) AND (s.wants & 256) <> 0)
-- name: notice_remove_rows
DELETE FROM notices WHERE seq = ANY (?1::bigint[])
-- name: deliveries_list_{dir}
-- each dir: asc=ASC;> | desc=DESC;<
SELECT {delivery} FROM deliveries d
WHERE d.id {dir.1} ?1 AND (?3 < 0 OR d.state = ?3) AND (?4::bytea IS NULL OR d.job_id = ?4)
  AND (?5::bytea IS NULL OR d.owner_id = ?5) AND (?6::bytea IS NULL OR d.subscription_id = ?6)
ORDER BY d.id {dir} LIMIT ?2
-- name: deliveries_count
SELECT count(*) FROM (SELECT 1 FROM deliveries d
WHERE (?2 < 0 OR d.state = ?2) AND (?3::bytea IS NULL OR d.job_id = ?3) AND (?4::bytea IS NULL OR d.owner_id = ?4)
  AND (?5::bytea IS NULL OR d.subscription_id = ?5) LIMIT ?1) c

-- ---- the audit trail ----

-- name: audit_list_{dir}_{scope}
-- each dir: asc=ASC | desc=DESC
-- each scope: any=(?4::text IS NULL OR u.entity_type = ?4) AND (?5::text IS NULL OR u.entity_id = ?5) AND (?6::text IS NULL OR u.action = ?6) AND (?7::bytea IS NULL OR u.actor_id = ?7) | entity=u.entity_type = ?4 AND u.entity_id = ?5 AND (?6::text IS NULL OR u.action = ?6) AND (?7::bytea IS NULL OR u.actor_id = ?7) | action=(?4::text IS NULL OR u.entity_type = ?4) AND (?5::text IS NULL OR u.entity_id = ?5) AND u.action = ?6 AND (?7::bytea IS NULL OR u.actor_id = ?7) | actor=(?4::text IS NULL OR u.entity_type = ?4) AND (?5::text IS NULL OR u.entity_id = ?5) AND (?6::text IS NULL OR u.action = ?6) AND u.actor_id = ?7
SELECT {audit} FROM audit u WHERE u.id > ?1 AND u.id < ?2 AND {scope}
  AND (?8::text IS NULL OR u.actor = ?8) AND (?9 < 0 OR u.outcome = ?9) AND u.at >= ?10 AND u.at < ?11
ORDER BY u.id {dir} LIMIT ?3
-- name: audit_count_{scope}
-- each scope: any=(?4::text IS NULL OR u.entity_type = ?4) AND (?5::text IS NULL OR u.entity_id = ?5) AND (?6::text IS NULL OR u.action = ?6) AND (?7::bytea IS NULL OR u.actor_id = ?7) | entity=u.entity_type = ?4 AND u.entity_id = ?5 AND (?6::text IS NULL OR u.action = ?6) AND (?7::bytea IS NULL OR u.actor_id = ?7) | action=(?4::text IS NULL OR u.entity_type = ?4) AND (?5::text IS NULL OR u.entity_id = ?5) AND u.action = ?6 AND (?7::bytea IS NULL OR u.actor_id = ?7) | actor=(?4::text IS NULL OR u.entity_type = ?4) AND (?5::text IS NULL OR u.entity_id = ?5) AND (?6::text IS NULL OR u.action = ?6) AND u.actor_id = ?7
SELECT count(*) FROM (SELECT 1 FROM audit u WHERE u.id > ?1 AND u.id < ?2 AND {scope}
  AND (?8::text IS NULL OR u.actor = ?8) AND (?9 < 0 OR u.outcome = ?9) AND u.at >= ?10 AND u.at < ?11
LIMIT ?3) c

-- ---- retention ----

-- name: run_remove_rows
DELETE FROM runs WHERE id = ANY (?1::bytea[])
-- name: logs_remove_rows
DELETE FROM run_logs WHERE run_id = ANY (?1::bytea[])
