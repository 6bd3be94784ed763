-- SPDX-License-Identifier: Apache-2.0
-- Every statement of the store. tools/embed_sql.py makes the table store_sql[] of it. Column lists (-- let) have the
-- order of the tables in columns.c.

-- let run: r.id, r.job_id, r.job_version, r.status, r.scheduled, r.first_scheduled, r.due, r.started, r.ended, r.token, r.attempt, r.occurrences, r.lost_count, r.trigger_kind, r.priority, r.cancel_requested, r.exit_code, r.worker, r.error_class, r.error_message, r.inputs, r.run_key, r.prev_run, r.blocked_by
-- let plan: p.job_id, p.version, p.next_fire, p.last_run, p.run_count, x.enabled, x.state, x.options, x.anchor_at, x.timeout, x.type, x.interval_seconds, x.interval_ms, x.cron_expression, x.timezone, x.jitter_seconds, x.misfire_threshold_seconds, x.max_catch_up, x.run_at, x.start_at, x.end_at, x.rrule, x.dtstart
-- let plan_from: FROM plans p JOIN plan_specs x ON x.job_id = p.job_id
-- let job: j.id, j.owner_id, j.version, j.created_at, j.updated_at, p.next_fire, p.last_run, p.run_count, x.enabled, x.state, r.status, j.definition
-- let job_from: FROM jobs j JOIN plans p ON p.job_id = j.id JOIN plan_specs x ON x.job_id = j.id LEFT JOIN runs r ON r.id = p.last_run
-- let dlq: d.id, d.job_id, d.job_name, d.last_run_id, d.run_key, d.scheduled, d.reason, d.error_class, d.attempts, d.job_version, d.inputs, d.created_at, d.resolved, d.resolved_at, d.resolved_by, d.resolution, d.replay_run_id, d.definition, d.replay_definition
-- let secret: s.scope, s.name, s.owner_id, s.sealed, s.created_at, s.updated_at
-- let user: u.id, u.email, u.password_hash, u.roles, u.enabled, u.session_epoch, u.created_at, (SELECT o.valid_until FROM one_time_passwords o WHERE o.user_id = u.id), {teams_of_user}
-- The identifiers of the teams in hexadecimal, one behind the other.
-- let teams_of_user: (SELECT group_concat(hex(m.team_id), '') FROM team_members m WHERE m.user_id = u.id)
-- let user_match: (?1 IS NULL OR instr(u.email, ?1) > 0) AND (?2 IS NULL OR instr(u.roles, ?2) > 0) AND (?3 < 0 OR u.enabled = ?3)
-- let api_key: k.id, k.owner_id, k.name, k.scopes, k.created_at, k.expires_at, k.last_used, k.token_hash
-- let team: t.id, t.name, t.description, t.created_at, (SELECT count(*) FROM team_members c WHERE c.team_id = t.id)

-- The store's clock, in microseconds: the moment itself, not when the transaction or the statement began, so that a
-- lease is judged after waiting for a lock. SQLite's has a resolution of a millisecond.
-- let now: (CAST(strftime('%s', 'now') AS INTEGER) * 1000000 + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER) * 1000)

-- let outbox_run: of_kind, what, at, job_id, run_id, run_key, job_version, attempt, scheduled, started, ended, exit_code, worker, error_class, error_message

-- Statements named …_rows take many rows at once (db_put_rows): only servers have them, others run the one without it.

-- One row per setting by which a server may lose what it has acknowledged, as a sentence: "fsync is off".
-- name: shortcomings
SELECT NULL WHERE 0

-- ---- the hot path ----

-- name: fire_get
SELECT p.last_run FROM plans p WHERE p.job_id = ?1 AND p.next_fire = ?2 AND p.version = ?3
-- name: fire_update
UPDATE plans SET next_fire = ?2, last_run = ?3, run_count = run_count + ?4
WHERE job_id = ?1 AND next_fire = ?5 AND version = ?6
-- name: fire_move
UPDATE plans SET next_fire = ?2 WHERE job_id = ?1 AND next_fire = ?3 AND version = ?4
-- name: run_put
INSERT INTO runs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
                         ?21, ?22, ?23, ?24)
ON CONFLICT DO NOTHING
-- name: run_remove
DELETE FROM runs WHERE id = ?1
-- name: claim
UPDATE runs SET status = 1, started = ?2, worker = ?3, token = ?4, attempt = ?5 WHERE id = ?1 AND status = 0
-- name: finish
UPDATE runs SET status = ?2, started = coalesce(?3, started), ended = ?4, exit_code = ?5, error_class = ?6,
                error_message = ?7, job_version = ?8
WHERE id = ?1 AND status = ?10 AND token = ?9
-- name: chain_head
SELECT p.last_run FROM plans p WHERE p.job_id = ?1
-- name: chain_advance
UPDATE plans SET last_run = ?2, run_count = run_count + 1 WHERE job_id = ?1
-- name: finished_plan
SELECT p.job_id, x.options FROM runs r JOIN plans p ON p.job_id = r.job_id JOIN plan_specs x ON x.job_id = p.job_id
WHERE r.id = ?1 AND p.next_fire = 9223372036854775807
-- name: plan_set_next
UPDATE plans SET next_fire = ?2 WHERE job_id = ?1 AND next_fire = 9223372036854775807
-- name: log_put
INSERT INTO run_logs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING
-- name: dlq_put
INSERT INTO dead_letters (id, job_id, job_name, last_run_id, run_key, scheduled, reason, error_class, attempts,
    job_version, inputs, created_at, resolved, resolved_at, resolved_by, resolution, replay_run_id, definition,
    replay_definition)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
ON CONFLICT (id) DO UPDATE SET job_name = ?3, last_run_id = ?4, reason = ?7, error_class = ?8, attempts = ?9,
    job_version = ?10, inputs = ?11, created_at = ?12, resolved = ?13, resolved_at = ?14, resolved_by = ?15,
    resolution = ?16, replay_run_id = ?17, definition = ?18, replay_definition = ?19

-- ---- the flush of a server: a few statements for all rows (flush_rows.c) ----
-- A statement that decides gives back the keys of exactly the rows that were as expected; rows are given in the order of
-- their keys, each key once. Where the dialect can, it has changed them already (UPDATE … RETURNING) and …_apply_rows is
-- empty. Else it has only locked them (SELECT … FOR UPDATE) and …_apply_rows changes them by key alone: it is given those
-- rows whose keys came back. Where the engine runs a statement for each row (db_run_each), …_each decides and changes at
-- once; it is trusted when the sum of its changes, two for each row, says that every row was as expected, and else all is
-- done again the other way. It has the same parameters.

-- Columns: job_id, expected next_fire, expected version, new next_fire, new last_run (NULL: as it is), runs to count.
-- Gives: job_id, last_run before.
-- name: fire_rows
-- name: fire_apply_rows
-- name: fire_each
-- Columns: those of run_put. Fails (ERR_CONFLICT) when an id exists.
-- name: run_put_rows
-- The same for runs that start on time by their schedule, which nearly all do. Columns: id, job_id, job_version, scheduled,
-- due, priority, run_key, prev_run; behind the rows: started, token, worker.
-- name: run_start_rows
-- name: run_put_each
-- Columns: id, started, worker, token, attempt; of QUEUED runs. Gives: id.
-- name: claim_rows
-- name: claim_apply_rows
-- name: claim_each
-- Columns: id, status, started (NULL: as it is), ended, exit_code, error_class, error_message, job_version, token and
-- status as expected. Gives: id.
-- name: finish_rows
-- name: finish_apply_rows
-- The same for runs of one token that succeeded. Columns: id, started, ended, exit_code, job_version; behind: token.
-- name: succeed_rows
-- name: succeed_apply_rows
-- The same where a count says that all were as expected, or the flush is done again another way.
-- name: succeed_all_rows
-- name: finish_each
-- Columns: job_id. Gives: job_id, last_run; locked.
-- name: chain_head_rows
-- Columns: job_id, new last_run, runs to count; locked before.
-- name: chain_advance_rows
-- Columns: id of a run. Gives: id, job_id and options of its plan, of those whose plan has no next fire.
-- name: finished_plan_rows
-- Columns: job_id, next_fire; of plans that have none.
-- name: plan_set_next_rows
-- Columns: run_id, seq, at, level, stream, message, context; those that exist stay.
-- name: log_put_rows

-- ---- what the engine loads ----

-- name: plans_page_{scope}
-- each scope: due=AND x.enabled = 1 AND x.state = 0 | all=
SELECT {plan} {plan_from} WHERE p.job_id > ?1 {scope} ORDER BY p.job_id LIMIT ?2
-- name: plan_get
SELECT {plan} {plan_from} WHERE p.job_id = ?1
-- Column: id of the job. Each once.
-- name: plan_get_rows
-- name: runs_unfinished
SELECT {run}, (SELECT j.name FROM jobs j WHERE j.id = r.job_id) FROM runs r INDEXED BY runs_unfinished
WHERE r.status < 2 AND r.id > ?1 ORDER BY r.id LIMIT ?2
-- name: job_definition
SELECT j.definition, j.version FROM jobs j WHERE j.id = ?1 AND j.deleted_at IS NULL
-- Column: id. Id, definition and version of each job that is not deleted.
-- name: job_definition_rows

-- ---- jobs ----

-- name: job_put
INSERT INTO jobs (id, owner_id, name, type, version, created_at, updated_at, definition)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING
-- name: plan_put
INSERT INTO plans (job_id, version, next_fire, last_run, run_count) VALUES (?1, ?2, ?3, ?4, ?5)
-- name: spec_put
INSERT INTO plan_specs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
-- The same for many, in the columns' order.
-- name: job_put_rows
-- name: plan_put_rows
-- name: spec_put_rows
-- name: job_change
UPDATE jobs SET name = ?2, type = ?3, version = ?4, updated_at = ?5, definition = ?6, owner_id = ?8
WHERE id = ?1 AND version = ?7 AND deleted_at IS NULL
-- name: plan_replace
UPDATE plans SET version = ?2, next_fire = ?3 WHERE job_id = ?1
-- name: spec_replace
UPDATE plan_specs SET enabled = ?2, state = ?3, options = ?4, anchor_at = ?5, timeout = ?6, type = ?7,
    interval_seconds = ?8, interval_ms = ?9, cron_expression = ?10, timezone = ?11, jitter_seconds = ?12,
    misfire_threshold_seconds = ?13, max_catch_up = ?14, run_at = ?15, start_at = ?16, end_at = ?17, rrule = ?18,
    dtstart = ?19
WHERE job_id = ?1
-- name: job_version
SELECT j.version FROM jobs j WHERE j.id = ?1 AND j.deleted_at IS NULL
-- name: job_mark_deleted
UPDATE jobs SET deleted_at = ?2, updated_at = ?2,
    last_run = (SELECT p.last_run FROM plans p WHERE p.job_id = ?1),
    run_count = (SELECT p.run_count FROM plans p WHERE p.job_id = ?1)
WHERE id = ?1 AND deleted_at IS NULL AND (?3 = 0 OR version = ?3)
-- name: plan_remove
DELETE FROM plans WHERE job_id = ?1
-- name: spec_remove
DELETE FROM plan_specs WHERE job_id = ?1
-- name: runs_cancel_queued
UPDATE runs INDEXED BY runs_unfinished SET status = 5, ended = ?2, error_class = ?3, error_message = ?4
WHERE status < 2 AND status = 0 AND job_id = ?1
-- name: job_touch
UPDATE jobs SET version = version + 1, updated_at = ?2 WHERE id = ?1 AND deleted_at IS NULL
-- name: plan_set_state
UPDATE plans SET version = version + 1,
    next_fire = CASE WHEN ?2 = 9223372036854775807 THEN next_fire ELSE ?2 END
WHERE job_id = ?1
-- name: spec_set_state
UPDATE plan_specs SET state = ?2 WHERE job_id = ?1
-- name: job_get
SELECT {job} {job_from} WHERE j.id = ?1 AND j.deleted_at IS NULL
-- name: jobs_by_{sort}_{dir}_{scope}
-- each sort: id=j.id {dir};j.id {dir.1} ?2 AND ?1 IS ?1 | update=j.updated_at {dir}, j.id {dir};(j.updated_at, j.id) {dir.1} (?1, ?2) | name=j.name {dir}, j.id {dir};(j.name, j.id) {dir.1} (?1, ?2)
-- each dir: asc=ASC;> | desc=DESC;<
-- each scope: any= | owner=AND j.owner_id = ?6 | owners=AND j.owner_id IN (?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38)
SELECT {job}, j.name {job_from}
WHERE j.deleted_at IS NULL AND {sort.1} AND (?4 IS NULL OR j.type = ?4)
  AND (?5 IS NULL OR instr(lower(j.name), lower(?5)) > 0) {scope}
ORDER BY {sort} LIMIT ?3
-- Next fires have no index. Every job that is not deleted has a plan, so the narrow table alone is sorted first; the
-- jobs of one owner are found by their index and sorted after that.
-- name: jobs_by_next_{dir}_any
-- each dir: asc=ASC;> | desc=DESC;<
SELECT {job}, j.name
FROM (SELECT * FROM plans o WHERE (o.next_fire, o.job_id) {dir.1} (?1, ?2)
        AND ((?4 IS NULL AND ?5 IS NULL) OR EXISTS (SELECT 1 FROM jobs f WHERE f.id = o.job_id
            AND (?4 IS NULL OR f.type = ?4) AND (?5 IS NULL OR instr(lower(f.name), lower(?5)) > 0)))
        ORDER BY o.next_fire {dir}, o.job_id {dir} LIMIT ?3) p
    JOIN jobs j ON j.id = p.job_id JOIN plan_specs x ON x.job_id = j.id LEFT JOIN runs r ON r.id = p.last_run
ORDER BY p.next_fire {dir}, p.job_id {dir}
-- name: jobs_by_next_{dir}_{scope}
-- each scope: owner== ?6 | owners=IN (?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38)
-- each dir: asc=ASC;> | desc=DESC;<
SELECT {job}, j.name {job_from}
WHERE j.deleted_at IS NULL AND j.owner_id {scope} AND (p.next_fire, j.id) {dir.1} (?1, ?2)
  AND (?4 IS NULL OR j.type = ?4) AND (?5 IS NULL OR instr(lower(j.name), lower(?5)) > 0)
ORDER BY p.next_fire {dir}, j.id {dir} LIMIT ?3
-- name: jobs_count_{scope}
-- each scope: any=;jobs_by_name | owner=AND j.owner_id = ?4;jobs_by_owner | owners=AND j.owner_id IN (?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36);jobs_by_owner
SELECT count(*) FROM (SELECT 1 FROM jobs j INDEXED BY {scope.1} WHERE j.deleted_at IS NULL AND (?2 IS NULL OR j.type = ?2)
  AND (?3 IS NULL OR instr(lower(j.name), lower(?3)) > 0) {scope} LIMIT ?1)

-- ---- runs ----

-- name: run_get
SELECT {run}, (SELECT j.name FROM jobs j WHERE j.id = r.job_id) FROM runs r WHERE r.id = ?1
-- name: run_link
SELECT {run} FROM runs r WHERE r.id = ?1
-- The same of many runs of one chain from the newest on: a question for each run is dear on a server.
-- name: run_links
WITH RECURSIVE c (id, prev_run, depth) AS (
    SELECT b.id, b.prev_run, 1 FROM runs b WHERE b.id = ?1
    UNION ALL
    SELECT b.id, b.prev_run, c.depth + 1 FROM c JOIN runs b ON b.id = c.prev_run WHERE c.depth < ?2
)
SELECT {run} FROM c JOIN runs r ON r.id = c.id ORDER BY c.depth
-- name: job_chain
SELECT coalesce(p.last_run, j.last_run), coalesce(p.run_count, j.run_count, 0), j.owner_id, j.name
FROM jobs j LEFT JOIN plans p ON p.job_id = j.id WHERE j.id = ?1
-- name: runs_by_id_{dir}
-- each dir: asc=ASC;> | desc=DESC;<
SELECT {run}, j.name, j.owner_id FROM runs r LEFT JOIN jobs j ON j.id = r.job_id
WHERE r.id {dir.1} ?1 ORDER BY r.id {dir} LIMIT ?2
-- name: runs_active_{dir}
-- each dir: asc=ASC;> | desc=DESC;<
SELECT {run}, j.name, j.owner_id FROM runs r INDEXED BY runs_unfinished LEFT JOIN jobs j ON j.id = r.job_id
WHERE r.status < 2 AND r.id {dir.1} ?1 ORDER BY r.id {dir} LIMIT ?2
-- name: runs_not_succeeded_{dir}
-- each dir: asc=ASC;> | desc=DESC;<
SELECT {run}, j.name, j.owner_id FROM runs r INDEXED BY runs_not_succeeded LEFT JOIN jobs j ON j.id = r.job_id
WHERE r.status > 2 AND r.id {dir.1} ?1 ORDER BY r.id {dir} LIMIT ?2
-- name: runs_count
SELECT count(*) FROM (SELECT 1 FROM runs LIMIT ?1)
-- name: run_cancel_queued
UPDATE runs SET status = 5, ended = ?2, error_class = ?3, error_message = ?4 WHERE id = ?1 AND status = 0
-- name: run_cancel_request
UPDATE runs SET cancel_requested = 1 WHERE id = ?1 AND status = 1
-- name: run_status
SELECT r.status FROM runs r WHERE r.id = ?1
-- name: logs_read
SELECT l.seq, l.at, l.level, l.stream, l.message, l.context FROM run_logs l
WHERE l.run_id = ?1 AND l.seq > ?2 ORDER BY l.seq LIMIT ?3

-- ---- dead letters ----

-- name: dlq_get
SELECT {dlq} FROM dead_letters d WHERE d.id = ?1
-- name: dlq_list_{dir}
-- each dir: asc=ASC;> | desc=DESC;<
SELECT {dlq} FROM dead_letters d LEFT JOIN jobs j ON j.id = d.job_id
WHERE d.id {dir.1} ?1 AND (?3 < 0 OR d.resolved = ?3) AND (?4 IS NULL OR d.job_id = ?4)
  AND (?5 IS NULL OR j.owner_id IN (?5, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39)) AND (?6 IS NULL OR d.error_class = ?6) AND (?7 IS NULL OR d.created_at < ?7)
ORDER BY d.id {dir} LIMIT ?2
-- name: dlq_count
SELECT count(*) FROM (SELECT 1 FROM dead_letters d LEFT JOIN jobs j ON j.id = d.job_id
WHERE (?2 < 0 OR d.resolved = ?2) AND (?3 IS NULL OR d.job_id = ?3) AND (?4 IS NULL OR j.owner_id IN (?4, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38))
  AND (?5 IS NULL OR d.error_class = ?5) AND (?6 IS NULL OR d.created_at < ?6) LIMIT ?1)
-- name: dlq_resolve
UPDATE dead_letters SET resolved = 1, resolved_at = ?2, resolved_by = ?3, resolution = ?4, replay_run_id = ?5,
    replay_definition = ?6
WHERE id = ?1 AND resolved = 0
-- name: dlq_exists
SELECT 1 FROM dead_letters WHERE id = ?1

-- ---- users, sessions, settings ----

-- name: user_put
INSERT INTO users (id, email, password_hash, roles, enabled, session_epoch, created_at, is_admin)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING
-- name: user_put_first_admin
INSERT INTO users (id, email, password_hash, roles, enabled, session_epoch, created_at, is_admin)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS (SELECT 1 FROM users WHERE is_admin = 1)
ON CONFLICT DO NOTHING
-- name: user_get
SELECT {user} FROM users u WHERE u.id = ?1
-- name: user_by_email
SELECT {user} FROM users u WHERE u.email = ?1
-- name: user_change
UPDATE users SET password_hash = ?2, roles = ?3, enabled = ?4, session_epoch = ?5, is_admin = ?6 WHERE id = ?1
-- What decides whether a user may be changed: is_admin, session_epoch, and whether there is another administrator. Locked.
-- name: user_state
SELECT u.is_admin, u.session_epoch, EXISTS (SELECT 1 FROM users o WHERE o.is_admin = 1 AND o.id <> ?1) FROM users u WHERE u.id = ?1
-- name: users_list_{dir}
-- each dir: asc=ASC;> | desc=DESC;<
SELECT {user} FROM users u WHERE u.id {dir.1} ?4 AND {user_match} ORDER BY u.id {dir} LIMIT ?5
-- name: users_count
SELECT count(*) FROM (SELECT 1 FROM users u WHERE {user_match} LIMIT ?4) n
-- name: user_lock
SELECT 1 FROM users u WHERE u.id = ?1
-- name: user_remove
DELETE FROM users WHERE id = ?1
-- name: one_time_put
INSERT INTO one_time_passwords (user_id, valid_until) VALUES (?1, ?2) ON CONFLICT (user_id) DO UPDATE SET valid_until = ?2
-- name: one_time_remove
DELETE FROM one_time_passwords WHERE user_id = ?1
-- name: secrets_remove_scope
DELETE FROM secrets WHERE scope = ?1
-- name: jobs_owned
SELECT count(*) FROM jobs j WHERE j.owner_id = ?1 AND j.deleted_at IS NULL
-- name: admin_exists
SELECT EXISTS (SELECT 1 FROM users WHERE is_admin = 1)
-- name: session_put
INSERT INTO sessions VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING
-- name: session_get
SELECT s.family, s.user_id, s.expires_at, s.used FROM sessions s WHERE s.token_hash = ?1
-- name: session_use
UPDATE sessions SET used = 1 WHERE token_hash = ?1 AND used = 0
-- name: sessions_remove_family
DELETE FROM sessions WHERE family = ?1
-- name: sessions_remove_user
DELETE FROM sessions WHERE user_id = ?1
-- name: sessions_remove_expired
DELETE FROM sessions WHERE user_id = ?1 AND expires_at <= ?2
-- name: session_see
SELECT s.family, s.user_id, s.created_at, s.expires_at, s.used FROM sessions s WHERE s.token_hash = ?1
-- name: session_extend
UPDATE sessions SET expires_at = ?2 WHERE token_hash = ?1
-- name: identity_get
SELECT i.user_id FROM identities i JOIN users u ON u.id = i.user_id WHERE i.id = ?1
-- name: identity_remove_dangling
DELETE FROM identities WHERE id = ?1 AND user_id NOT IN (SELECT u.id FROM users u)
-- name: identity_put
INSERT INTO identities (id, issuer, subject, user_id, created_at) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING
-- name: setting_swap
UPDATE settings SET value = ?3 WHERE name = ?1 AND value = ?2
-- name: setting_get
SELECT s.value FROM settings s WHERE s.name = ?1
-- name: setting_put
INSERT INTO settings VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2
-- name: setting_new
INSERT INTO settings VALUES (?1, ?2) ON CONFLICT DO NOTHING
-- name: setting_remove
DELETE FROM settings WHERE name = ?1

-- ---- API keys and teams ----

-- name: api_key_put
INSERT INTO api_keys (id, owner_id, name, token_hash, scopes, created_at, expires_at, last_used)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING
-- name: api_key_by_hash
SELECT {api_key} FROM api_keys k WHERE k.token_hash = ?1
-- name: api_key_get
SELECT {api_key} FROM api_keys k WHERE k.id = ?1
-- name: api_keys_list_{dir}
-- each dir: asc=ASC;> | desc=DESC;<
SELECT {api_key} FROM api_keys k WHERE k.id {dir.1} ?2 AND (?1 IS NULL OR k.owner_id = ?1) ORDER BY k.id {dir} LIMIT ?3
-- name: api_keys_count
SELECT count(*) FROM (SELECT 1 FROM api_keys k WHERE (?1 IS NULL OR k.owner_id = ?1) LIMIT ?2) n
-- name: api_key_remove
DELETE FROM api_keys WHERE id = ?1
-- name: api_keys_remove_owner
DELETE FROM api_keys WHERE owner_id = ?1
-- name: api_key_used
UPDATE api_keys SET last_used = ?2 WHERE id = ?1 AND (last_used IS NULL OR last_used < ?2)

-- name: team_put
INSERT INTO teams (id, name, description, created_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING
-- name: team_get
SELECT {team} FROM teams t WHERE t.id = ?1
-- name: team_by_name
SELECT t.id FROM teams t WHERE t.name = ?1
-- name: team_lock
SELECT 1 FROM teams t WHERE t.id = ?1
-- name: team_change
UPDATE teams SET name = ?2, description = ?3 WHERE id = ?1
-- name: team_remove
DELETE FROM teams WHERE id = ?1
-- name: teams_list_{dir}
-- each dir: asc=ASC;> | desc=DESC;<
SELECT {team} FROM teams t WHERE t.id {dir.1} ?2
  AND (?1 IS NULL OR EXISTS (SELECT 1 FROM team_members m WHERE m.user_id = ?1 AND m.team_id = t.id))
ORDER BY t.id {dir} LIMIT ?3
-- name: teams_count
SELECT count(*) FROM (SELECT 1 FROM teams t
WHERE (?1 IS NULL OR EXISTS (SELECT 1 FROM team_members m WHERE m.user_id = ?1 AND m.team_id = t.id)) LIMIT ?2) n
-- name: members_list
SELECT m.user_id, u.email, m.role FROM team_members m JOIN users u ON u.id = m.user_id
WHERE m.team_id = ?1 ORDER BY m.user_id LIMIT ?2
-- name: member_role
SELECT m.role FROM team_members m WHERE m.team_id = ?1 AND m.user_id = ?2
-- How many others there are in the team, and how many other teams the user is in.
-- name: member_room
SELECT (SELECT count(*) FROM team_members m WHERE m.team_id = ?1 AND m.user_id <> ?2),
    (SELECT count(*) FROM team_members m WHERE m.user_id = ?2 AND m.team_id <> ?1)
-- name: member_put
INSERT INTO team_members (team_id, user_id, role) VALUES (?1, ?2, ?3)
ON CONFLICT (team_id, user_id) DO UPDATE SET role = ?3
-- name: member_remove
DELETE FROM team_members WHERE team_id = ?1 AND user_id = ?2
-- name: members_remove_team
DELETE FROM team_members WHERE team_id = ?1
-- name: members_remove_user
DELETE FROM team_members WHERE user_id = ?1

-- ---- secrets and memos ----

-- name: secret_put
INSERT INTO secrets VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (scope, name) DO UPDATE SET owner_id = ?3, sealed = ?4, updated_at = ?6
-- name: secret_get
SELECT {secret} FROM secrets s WHERE s.scope = ?1 AND s.name = ?2
-- The first condition alone is what an index can use everywhere.
-- name: secrets_page_all
SELECT {secret} FROM secrets s WHERE s.scope >= ?1 AND (s.scope > ?1 OR s.name > ?2) ORDER BY s.scope, s.name LIMIT ?3
-- name: secrets_page
SELECT {secret} FROM secrets s WHERE s.scope = ?1 AND s.name > ?2 ORDER BY s.name LIMIT ?3
-- name: secret_reseal
UPDATE secrets SET sealed = ?4 WHERE scope = ?1 AND name = ?2 AND sealed = ?3
-- name: secret_remove
DELETE FROM secrets WHERE scope = ?1 AND name = ?2
-- name: memo_get
SELECT m.value FROM memos m WHERE m.job_id = ?1 AND m.name = ?2
-- The job of a run that is still owned. It stays so until the end of the transaction.
-- name: memo_job
SELECT r.job_id FROM runs r JOIN jobs j ON j.id = r.job_id
WHERE r.id = ?1 AND r.status = 1 AND r.token = ?2 AND j.deleted_at IS NULL
-- A job that stays until the end of the transaction.
-- name: memo_hold
SELECT 1 FROM jobs WHERE id = ?1 AND deleted_at IS NULL
-- name: memo_put
INSERT INTO memos VALUES (?1, ?2, ?3) ON CONFLICT (job_id, name) DO UPDATE SET value = ?3
-- name: memos_remove
DELETE FROM memos WHERE job_id = ?1

-- ---- the cluster ----

-- The name goes to whoever writes it into holds, which is unique: of two that register at once one finds it taken.
-- name: node_free_name
UPDATE nodes SET holds = NULL WHERE holds = ?1 AND lease_until <= {now}
-- name: node_put
INSERT INTO nodes (token, name, holds, address, version, process, state, drain_wanted, slot_view, running,
                   clock_offset_us, started_at, renewed_at, lease_until)
VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, {now}, {now}, {now} + ?11) ON CONFLICT DO NOTHING
-- name: nodes_remove_ended
DELETE FROM nodes WHERE lease_until <= {now} - ?1
-- name: node_renew
UPDATE nodes SET lease_until = {now} + ?2, renewed_at = {now}, running = ?3, clock_offset_us = ?4
WHERE token = ?1 AND lease_until > {now}
-- name: node_publish
UPDATE nodes SET state = ?2, slot_view = ?3 WHERE token = ?1 AND lease_until > {now}
-- name: node_remove
DELETE FROM nodes WHERE token = ?1
-- name: node_want
UPDATE nodes SET drain_wanted = ?2 WHERE name = ?1 AND lease_until > {now}
-- One row when the lease of a node lasts. It takes no lock: the renewal must not wait for a flush.
-- name: node_leased
SELECT 1 FROM nodes WHERE token = ?1 AND lease_until > {now}
-- One row with an absent token when there are no nodes: the clock is asked for too.
-- name: nodes_list
SELECT {now}, n.token, n.name, n.address, n.version, n.process, n.state, n.drain_wanted, n.slot_view, n.running,
    n.clock_offset_us, n.started_at, n.renewed_at, n.lease_until
FROM (SELECT 1 AS one) o LEFT JOIN nodes n ON o.one = 1
ORDER BY n.name, n.started_at, n.token

-- name: change_put
INSERT INTO changes (kind, subject, sender, at) VALUES (?1, ?2, ?3, {now})
-- Columns: kind, subject, sender.
-- name: change_put_rows
-- Wakes those who wait for changes, at the commit; where the store can tell.
-- name: changes_notify
-- name: changes_read
SELECT c.seq, c.kind, c.subject, c.sender, c.at FROM changes c WHERE c.seq > ?1 ORDER BY c.seq LIMIT ?2
-- name: changes_last
SELECT coalesce(max(c.seq), 0) FROM changes c
-- The highest seq to remove; found without locks, so that nobody who writes a change waits.
-- name: changes_old
SELECT coalesce(max(c.seq), 0) FROM changes c WHERE c.at <= {now} - ?1
-- name: changes_remove
DELETE FROM changes WHERE seq <= ?1 AND at <= {now} - ?2

-- Takes a duty that is free or whose lease has ended, or keeps one's own; else it changes nothing.
-- name: duty_take
INSERT INTO duties (name, token, term, lease_until) VALUES (?1, ?2, 1, {now} + ?3)
ON CONFLICT (name) DO UPDATE SET
    term = duties.term + CASE WHEN duties.lease_until > {now} THEN 0 ELSE 1 END, token = ?2, lease_until = {now} + ?3
WHERE duties.token = ?2 OR duties.lease_until <= {now}
-- name: duty_get
SELECT d.token, d.term FROM duties d WHERE d.name = ?1
-- name: duty_release
UPDATE duties SET lease_until = 0 WHERE name = ?1 AND token = ?2 AND lease_until > {now}

-- ---- circuit breakers ----

-- name: breaker_insert
INSERT INTO breakers (id, state, version, failures, opens, since, wait_until, node, target)
VALUES (?1, ?2, ?3, ?4, ?5, {now}, {now} + ?6, ?7, ?8)
ON CONFLICT DO NOTHING
-- name: breaker_update
UPDATE breakers SET state = ?2, version = ?3, failures = ?4, opens = ?5, since = {now}, wait_until = {now} + ?6, node = ?7
WHERE id = ?1 AND version = ?8
-- name: breakers_forget
DELETE FROM breakers WHERE wait_until < {now} - ?1
-- One row with an absent id when there are none: the clock is asked for too.
-- name: breakers_list
SELECT {now}, b.id, b.target, b.state, b.version, b.failures, b.opens, b.since, b.wait_until, b.node
FROM (SELECT 1 AS one) o LEFT JOIN breakers b ON o.one = 1

-- ---- events for readers outside ----

-- name: outbox_put_job
INSERT INTO outbox (of_kind, what, at, job_id, job_version, attempt)
SELECT 0, ?1, {now}, j.id, j.version, 0 FROM jobs j WHERE j.id = ?2
-- The event of a change of status: what the row of the run holds after it.
-- name: outbox_put_run
INSERT INTO outbox ({outbox_run})
SELECT 1, r.status, {now}, r.job_id, r.id, r.run_key, r.job_version, r.attempt, r.scheduled, r.started, r.ended,
    r.exit_code, r.worker, r.error_class, r.error_message
FROM runs r WHERE r.id = ?1
-- Column: id of the run. Events in the order of the rows given.
-- name: outbox_put_run_rows
-- Before runs_cancel_queued, with the same parameters: what it will do. Its rows must stay QUEUED meanwhile.
-- name: outbox_put_cancelled
INSERT INTO outbox ({outbox_run})
SELECT 1, 5, {now}, r.job_id, r.id, r.run_key, r.job_version, r.attempt, r.scheduled, r.started, ?2,
    r.exit_code, r.worker, ?3, ?4
FROM runs r INDEXED BY runs_unfinished WHERE r.status < 2 AND r.status = 0 AND r.job_id = ?1
-- name: outbox_read
SELECT o.seq, {outbox_run} FROM outbox o ORDER BY o.seq LIMIT ?1
-- name: outbox_remove
DELETE FROM outbox WHERE seq = ?1
-- Column: seq.
-- name: outbox_remove_rows

-- What waits, each counted up to a limit.
-- name: backlog
SELECT (SELECT count(*) FROM (SELECT 1 FROM dead_letters d WHERE d.resolved = 0 LIMIT ?1) a),
    (SELECT count(*) FROM (SELECT 1 FROM outbox o LIMIT ?1) b),
    (SELECT f.at FROM outbox f ORDER BY f.seq LIMIT 1),
    (SELECT count(*) FROM (SELECT 1 FROM audit u WHERE u.seq IS NULL LIMIT ?1) c),
    (SELECT count(*) FROM (SELECT 1 FROM subscriptions s JOIN deliveries d ON d.subscription_id = s.id
                           WHERE d.due < 9223372036854775807 LIMIT ?1) e),
    (SELECT min(g.first_due) FROM (SELECT (SELECT min(d.due) FROM deliveries d WHERE d.subscription_id = s.id) AS first_due
                                   FROM subscriptions s) g)

-- ---- notifications ----

-- let notice: event, at, job_id, run_id, error_class, message
-- let delivery: id, subscription_id, job_id, run_id, owner_id, event, channel, state, created_at, due, tries, code, sentence, ended_at, body
-- name: subscription_insert
INSERT INTO subscriptions (id, job_id, version, wants, body) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING
-- name: subscription_change
UPDATE subscriptions SET version = ?2, wants = ?3, body = ?4 WHERE id = ?1 AND version = ?5
-- name: subscription_get
SELECT s.id, s.job_id, s.version, s.body FROM subscriptions s WHERE s.id = ?1
-- name: subscriptions_page_{scope}
-- each scope: any= | job=AND s.job_id = ?3
SELECT s.id, s.job_id, s.version, s.body FROM subscriptions s WHERE s.id > ?1 {scope} ORDER BY s.id LIMIT ?2
-- name: subscription_remove
DELETE FROM subscriptions WHERE id = ?1
-- name: subscription_forget_marks
DELETE FROM notice_marks WHERE subscription_id = ?1
-- name: deliveries_drop
UPDATE deliveries SET state = 4, due = 9223372036854775807, ended_at = ?2
WHERE subscription_id = ?1 AND due < 9223372036854775807
-- The same three of all subscriptions of a job, before its subscriptions go.
-- name: job_deliveries_drop
UPDATE deliveries SET state = 4, due = 9223372036854775807, ended_at = ?2
WHERE subscription_id IN (SELECT s.id FROM subscriptions s WHERE s.job_id = ?1) AND due < 9223372036854775807
-- name: job_marks_remove
DELETE FROM notice_marks WHERE job_id = ?1
-- name: job_subscriptions_remove
DELETE FROM subscriptions WHERE job_id = ?1
-- name: notice_put
INSERT INTO notices ({notice}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
-- Columns: those of notice_put.
-- name: notice_put_rows
-- A job was paused: nothing unless somebody wants to know.
-- name: notice_put_paused
INSERT INTO notices (event, at, job_id)
SELECT 8, ?2, ?1 WHERE EXISTS (SELECT 1 FROM subscriptions s
    WHERE (s.job_id = ?1 OR s.job_id IS NULL) AND (s.wants & 256) <> 0)
-- name: notices_read
SELECT n.seq, {notice} FROM notices n ORDER BY n.seq LIMIT ?1
-- name: notice_remove
DELETE FROM notices WHERE seq = ?1
-- Column: seq.
-- name: notice_remove_rows
-- name: mark_put
INSERT INTO notice_marks (job_id, subscription_id, due, body) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (job_id, subscription_id) DO UPDATE SET due = ?3, body = ?4
-- name: mark_remove
DELETE FROM notice_marks WHERE job_id = ?1 AND subscription_id = ?2
-- name: marks_of
SELECT m.job_id, m.subscription_id, m.due, m.body FROM notice_marks m WHERE m.job_id IN (?1, ?2)
-- name: marks_due
SELECT m.job_id, m.subscription_id, m.due, m.body FROM notice_marks m WHERE m.due <= ?1 ORDER BY m.due LIMIT ?2
-- name: delivery_put
INSERT INTO deliveries ({delivery})
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) ON CONFLICT DO NOTHING
-- name: delivery_get
SELECT {delivery} FROM deliveries d WHERE d.id = ?1
-- name: delivery_change
UPDATE deliveries SET state = ?2, due = ?3, tries = ?4, code = ?5, sentence = ?6, ended_at = ?7
WHERE id = ?1 AND tries = ?8
-- name: deliveries_list_{dir}
-- each dir: asc=ASC;> | desc=DESC;<
SELECT {delivery} FROM deliveries d
WHERE d.id {dir.1} ?1 AND (?3 < 0 OR d.state = ?3) AND (?4 IS NULL OR d.job_id = ?4)
  AND (?5 IS NULL OR d.owner_id = ?5) AND (?6 IS NULL OR d.subscription_id = ?6)
ORDER BY d.id {dir} LIMIT ?2
-- name: deliveries_count
SELECT count(*) FROM (SELECT 1 FROM deliveries d
WHERE (?2 < 0 OR d.state = ?2) AND (?3 IS NULL OR d.job_id = ?3) AND (?4 IS NULL OR d.owner_id = ?4)
  AND (?5 IS NULL OR d.subscription_id = ?5) LIMIT ?1)
-- The first of each subscription by its index: one with thousands of messages costs as much as one with a single one.
-- name: deliveries_due
SELECT {delivery}
FROM (SELECT (SELECT e.id FROM deliveries e WHERE e.subscription_id = s.id AND e.due <= ?1
              ORDER BY e.due, e.id LIMIT 1) AS first_id FROM subscriptions s) f
    JOIN deliveries d ON d.id = f.first_id
ORDER BY d.due, d.id LIMIT ?2
-- name: deliveries_old
SELECT d.id FROM deliveries d WHERE d.id < ?1 AND d.due = 9223372036854775807 ORDER BY d.id LIMIT ?2
-- name: delivery_remove
DELETE FROM deliveries WHERE id = ?1 AND due = 9223372036854775807
-- Next fires have no index; the narrow table alone is read through.
-- name: plans_overdue
SELECT {plan} {plan_from} WHERE p.next_fire < ?1 AND x.enabled = 1 AND x.state = 0 LIMIT ?2

-- ---- the audit trail ----

-- let audit: u.id, u.at, u.actor, u.way, u.address, u.request_id, u.node, u.action, u.entity_type, u.entity_id, u.entity_name, u.outcome, u.detail, u.changes, u.actor_id, u.mac, u.seq, u.chain
-- name: audit_put
INSERT INTO audit (id, at, actor, way, address, request_id, node, action, entity_type, entity_id, entity_name, outcome, detail,
    changes, actor_id, mac)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
-- name: audit_get
SELECT {audit} FROM audit u WHERE u.id = ?1
-- Parameters of lists and counts: ids above and below, rows, entity type and id, action, id and address of the actor,
-- outcome (negative: any), from, before.
-- name: audit_list_{dir}_{scope}
-- each dir: asc=ASC | desc=DESC
-- each scope: any=(?4 IS NULL OR u.entity_type = ?4) AND (?5 IS NULL OR u.entity_id = ?5) AND (?6 IS NULL OR u.action = ?6) AND (?7 IS NULL OR u.actor_id = ?7) | entity=u.entity_type = ?4 AND u.entity_id = ?5 AND (?6 IS NULL OR u.action = ?6) AND (?7 IS NULL OR u.actor_id = ?7) | action=(?4 IS NULL OR u.entity_type = ?4) AND (?5 IS NULL OR u.entity_id = ?5) AND u.action = ?6 AND (?7 IS NULL OR u.actor_id = ?7) | actor=(?4 IS NULL OR u.entity_type = ?4) AND (?5 IS NULL OR u.entity_id = ?5) AND (?6 IS NULL OR u.action = ?6) AND u.actor_id = ?7
SELECT {audit} FROM audit u WHERE u.id > ?1 AND u.id < ?2 AND {scope}
  AND (?8 IS NULL OR u.actor = ?8) AND (?9 < 0 OR u.outcome = ?9) AND u.at >= ?10 AND u.at < ?11
ORDER BY u.id {dir} LIMIT ?3
-- name: audit_count_{scope}
-- each scope: any=(?4 IS NULL OR u.entity_type = ?4) AND (?5 IS NULL OR u.entity_id = ?5) AND (?6 IS NULL OR u.action = ?6) AND (?7 IS NULL OR u.actor_id = ?7) | entity=u.entity_type = ?4 AND u.entity_id = ?5 AND (?6 IS NULL OR u.action = ?6) AND (?7 IS NULL OR u.actor_id = ?7) | action=(?4 IS NULL OR u.entity_type = ?4) AND (?5 IS NULL OR u.entity_id = ?5) AND u.action = ?6 AND (?7 IS NULL OR u.actor_id = ?7) | actor=(?4 IS NULL OR u.entity_type = ?4) AND (?5 IS NULL OR u.entity_id = ?5) AND (?6 IS NULL OR u.action = ?6) AND u.actor_id = ?7
SELECT count(*) FROM (SELECT 1 FROM audit u WHERE u.id > ?1 AND u.id < ?2 AND {scope}
  AND (?8 IS NULL OR u.actor = ?8) AND (?9 < 0 OR u.outcome = ?9) AND u.at >= ?10 AND u.at < ?11
LIMIT ?3)
-- name: audit_unsealed
SELECT {audit} FROM audit u WHERE u.seq IS NULL AND u.id > ?1 ORDER BY u.id LIMIT ?2
-- name: audit_chain
SELECT {audit} FROM audit u WHERE u.seq > ?1 ORDER BY u.seq LIMIT ?2
-- name: audit_place
UPDATE audit SET seq = ?2, chain = ?3 WHERE id = ?1 AND seq IS NULL
-- Columns: kind, seq, at, chain, mac, slot.
-- name: audit_mark_put
INSERT INTO audit_marks (kind, seq, at, chain, mac, slot) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING
-- name: audit_mark_move
UPDATE audit_marks SET seq = ?2, at = ?3, chain = ?4, mac = ?5 WHERE kind = ?1 AND slot = 0 AND seq = ?6 AND chain = ?7
-- name: audit_marks
SELECT m.seq, m.at, m.chain, m.mac FROM audit_marks m WHERE m.kind = ?1 AND m.seq > ?2 ORDER BY m.slot LIMIT ?3
-- name: audit_trim
DELETE FROM audit WHERE seq <= ?1
-- name: audit_trim_marks
DELETE FROM audit_marks WHERE kind = 2 AND slot < ?1

-- ---- retention ----

-- Runs of a range of ids, oldest first; whether each is the newest of its job, and whether the one before it exists.
-- name: trim_page
SELECT r.id, r.prev_run, r.status, EXISTS (SELECT 1 FROM plans p WHERE p.job_id = r.job_id AND p.last_run = r.id),
    EXISTS (SELECT 1 FROM runs b WHERE b.id = r.prev_run)
FROM runs r WHERE r.id > ?1 AND r.id < ?2 ORDER BY r.id LIMIT ?3
-- name: logs_remove
DELETE FROM run_logs WHERE run_id = ?1
-- Columns: id of the run.
-- name: run_remove_rows
-- name: logs_remove_rows
-- name: dlq_trim
DELETE FROM dead_letters WHERE id IN
    (SELECT d.id FROM dead_letters d WHERE d.resolved = 1 AND d.scheduled < ?1 ORDER BY d.scheduled LIMIT ?2)

-- ---- requests that are carried out once ----

-- name: once_insert
INSERT INTO requests_once (id, print, claim, state, lease_until, created_at)
VALUES (?1, ?2, ?3, 0, {now} + ?4, {now}) ON CONFLICT DO NOTHING
-- name: once_take
UPDATE requests_once SET print = ?2, claim = ?3, state = 0, lease_until = {now} + ?4, created_at = {now}, status = 0,
    headers = NULL, body = NULL
WHERE id = ?1 AND (created_at <= {now} - ?5 OR (state = 0 AND lease_until <= {now} AND print = ?2))
-- name: once_get
SELECT CASE WHEN o.print = ?2 THEN 1 ELSE 0 END, CASE WHEN o.lease_until > {now} THEN 1 ELSE 0 END, o.state, o.claim,
    o.status, o.headers, o.body
FROM requests_once o WHERE o.id = ?1
-- name: once_mark
UPDATE requests_once SET state = 1 WHERE id = ?1 AND claim = ?2 AND state = 0
-- name: once_answer
UPDATE requests_once SET state = 2, status = ?3, headers = ?4, body = ?5 WHERE id = ?1 AND claim = ?2 AND state < 2
-- name: once_give_up
DELETE FROM requests_once WHERE id = ?1 AND claim = ?2 AND state <= ?3
-- name: once_trim
DELETE FROM requests_once WHERE id IN
    (SELECT o.id FROM requests_once o WHERE o.created_at <= {now} - ?1 ORDER BY o.created_at LIMIT ?2)
