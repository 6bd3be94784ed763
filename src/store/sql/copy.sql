-- SPDX-License-Identifier: Apache-2.0
-- Reading whole tables page by page in the order of their keys, and writing the rows as they are: copy.c. A page begins
-- after the key in the first parameters; the last one is its size.
-- let jobs: id, owner_id, name, type, version, created_at, updated_at, deleted_at, last_run, run_count, definition
-- let plans: job_id, version, next_fire, last_run, run_count
-- let specs: job_id, enabled, state, options, anchor_at, timeout, type, interval_seconds, interval_ms, cron_expression, timezone, jitter_seconds, misfire_threshold_seconds, max_catch_up, run_at, start_at, end_at, rrule, dtstart
-- let runs: id, job_id, job_version, status, scheduled, first_scheduled, due, started, ended, token, attempt, occurrences, lost_count, trigger_kind, priority, cancel_requested, exit_code, worker, error_class, error_message, inputs, run_key, prev_run, blocked_by
-- let logs: run_id, seq, at, level, stream, message, context
-- let letters: id, job_id, job_name, last_run_id, run_key, scheduled, reason, error_class, attempts, job_version, inputs, created_at, resolved, resolved_at, resolved_by, resolution, replay_run_id, definition, replay_definition
-- let users: id, email, password_hash, roles, is_admin, enabled, session_epoch, created_at
-- let sessions: token_hash, family, user_id, created_at, expires_at, used
-- let identities: id, issuer, subject, user_id, created_at
-- let api_keys: id, owner_id, name, token_hash, scopes, created_at, expires_at, last_used
-- let secrets: scope, name, owner_id, sealed, created_at, updated_at
-- let events: of_kind, what, at, job_id, run_id, run_key, job_version, attempt, scheduled, started, ended, exit_code, worker, error_class, error_message
-- let once: id, print, claim, state, lease_until, created_at, status, headers, body
-- let notices: event, at, job_id, run_id, error_class, message
-- let deliveries: id, subscription_id, job_id, run_id, owner_id, event, channel, state, created_at, due, tries, code, sentence, ended_at, body
-- let audit: id, seq, at, actor_id, actor, way, address, request_id, node, action, entity_type, entity_id, entity_name, outcome, detail, changes, mac, chain
-- let marks: kind, slot, seq, at, chain, mac
-- let five: ?1, ?2, ?3, ?4, ?5
-- let ten: ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10

-- name: read_jobs
SELECT {jobs} FROM jobs WHERE id > ?1 ORDER BY id LIMIT ?2
-- name: put_jobs
INSERT INTO jobs ({jobs}) VALUES ({ten}, ?11)
-- name: count_jobs
SELECT count(*) FROM jobs

-- name: read_plans
SELECT {plans} FROM plans WHERE job_id > ?1 ORDER BY job_id LIMIT ?2
-- name: put_plans
INSERT INTO plans ({plans}) VALUES ({five})
-- name: count_plans
SELECT count(*) FROM plans

-- name: read_plan_specs
SELECT {specs} FROM plan_specs WHERE job_id > ?1 ORDER BY job_id LIMIT ?2
-- name: put_plan_specs
INSERT INTO plan_specs ({specs}) VALUES ({ten}, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
-- name: count_plan_specs
SELECT count(*) FROM plan_specs

-- name: read_runs
SELECT {runs} FROM runs WHERE id > ?1 ORDER BY id LIMIT ?2
-- name: put_runs
INSERT INTO runs ({runs})
VALUES ({ten}, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)
-- name: count_runs
SELECT count(*) FROM runs

-- The first condition alone is what an index can use everywhere.
-- name: read_run_logs
SELECT {logs} FROM run_logs WHERE run_id >= ?1 AND (run_id > ?1 OR seq > ?2) ORDER BY run_id, seq LIMIT ?3
-- name: put_run_logs
INSERT INTO run_logs ({logs}) VALUES ({five}, ?6, ?7)
-- name: count_run_logs
SELECT count(*) FROM run_logs

-- name: read_dead_letters
SELECT {letters} FROM dead_letters WHERE id > ?1 ORDER BY id LIMIT ?2
-- name: put_dead_letters
INSERT INTO dead_letters ({letters}) VALUES ({ten}, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
-- name: count_dead_letters
SELECT count(*) FROM dead_letters

-- name: read_users
SELECT {users} FROM users WHERE id > ?1 ORDER BY id LIMIT ?2
-- name: put_users
INSERT INTO users ({users}) VALUES ({five}, ?6, ?7, ?8)
-- name: count_users
SELECT count(*) FROM users

-- name: read_one_time_passwords
SELECT user_id, valid_until FROM one_time_passwords WHERE user_id > ?1 ORDER BY user_id LIMIT ?2
-- name: put_one_time_passwords
INSERT INTO one_time_passwords (user_id, valid_until) VALUES (?1, ?2)
-- name: count_one_time_passwords
SELECT count(*) FROM one_time_passwords

-- name: read_api_keys
SELECT {api_keys} FROM api_keys WHERE id > ?1 ORDER BY id LIMIT ?2
-- name: put_api_keys
INSERT INTO api_keys ({api_keys}) VALUES ({five}, ?6, ?7, ?8)
-- name: count_api_keys
SELECT count(*) FROM api_keys

-- name: read_teams
SELECT id, name, description, created_at FROM teams WHERE id > ?1 ORDER BY id LIMIT ?2
-- name: put_teams
INSERT INTO teams (id, name, description, created_at) VALUES (?1, ?2, ?3, ?4)
-- name: count_teams
SELECT count(*) FROM teams

-- name: read_team_members
SELECT team_id, user_id, role FROM team_members
WHERE team_id >= ?1 AND (team_id > ?1 OR user_id > ?2) ORDER BY team_id, user_id LIMIT ?3
-- name: put_team_members
INSERT INTO team_members (team_id, user_id, role) VALUES (?1, ?2, ?3)
-- name: count_team_members
SELECT count(*) FROM team_members

-- name: read_sessions
SELECT {sessions} FROM sessions WHERE token_hash > ?1 ORDER BY token_hash LIMIT ?2
-- name: put_sessions
INSERT INTO sessions ({sessions}) VALUES ({five}, ?6)
-- name: count_sessions
SELECT count(*) FROM sessions

-- name: read_identities
SELECT {identities} FROM identities WHERE id > ?1 ORDER BY id LIMIT ?2
-- name: put_identities
INSERT INTO identities ({identities}) VALUES ({five})
-- name: count_identities
SELECT count(*) FROM identities

-- Numbered anew, in the same order.
-- name: read_outbox
SELECT seq, {events} FROM outbox WHERE seq > ?1 ORDER BY seq LIMIT ?2
-- name: put_outbox
INSERT INTO outbox ({events}) VALUES ({ten}, ?11, ?12, ?13, ?14, ?15)
-- name: count_outbox
SELECT count(*) FROM outbox

-- name: read_subscriptions
SELECT id, job_id, version, wants, body FROM subscriptions WHERE id > ?1 ORDER BY id LIMIT ?2
-- name: put_subscriptions
INSERT INTO subscriptions (id, job_id, version, wants, body) VALUES ({five})
-- name: count_subscriptions
SELECT count(*) FROM subscriptions

-- Numbered anew, in the same order.
-- name: read_notices
SELECT seq, {notices} FROM notices WHERE seq > ?1 ORDER BY seq LIMIT ?2
-- name: put_notices
INSERT INTO notices ({notices}) VALUES ({five}, ?6)
-- name: count_notices
SELECT count(*) FROM notices

-- name: read_notice_marks
SELECT job_id, subscription_id, due, body FROM notice_marks
WHERE job_id >= ?1 AND (job_id > ?1 OR subscription_id > ?2) ORDER BY job_id, subscription_id LIMIT ?3
-- name: put_notice_marks
INSERT INTO notice_marks (job_id, subscription_id, due, body) VALUES (?1, ?2, ?3, ?4)
-- name: count_notice_marks
SELECT count(*) FROM notice_marks

-- name: read_deliveries
SELECT {deliveries} FROM deliveries WHERE id > ?1 ORDER BY id LIMIT ?2
-- name: put_deliveries
INSERT INTO deliveries ({deliveries}) VALUES ({ten}, ?11, ?12, ?13, ?14, ?15)
-- name: count_deliveries
SELECT count(*) FROM deliveries

-- name: read_secrets
SELECT {secrets} FROM secrets WHERE scope >= ?1 AND (scope > ?1 OR name > ?2) ORDER BY scope, name LIMIT ?3
-- name: put_secrets
INSERT INTO secrets ({secrets}) VALUES ({five}, ?6)
-- name: count_secrets
SELECT count(*) FROM secrets

-- name: read_memos
SELECT job_id, name, value FROM memos WHERE job_id >= ?1 AND (job_id > ?1 OR name > ?2) ORDER BY job_id, name LIMIT ?3
-- name: put_memos
INSERT INTO memos (job_id, name, value) VALUES (?1, ?2, ?3)
-- name: count_memos
SELECT count(*) FROM memos

-- name: read_requests_once
SELECT {once} FROM requests_once WHERE id > ?1 ORDER BY id LIMIT ?2
-- name: put_requests_once
INSERT INTO requests_once ({once}) VALUES ({five}, ?6, ?7, ?8, ?9)
-- name: count_requests_once
SELECT count(*) FROM requests_once

-- name: read_audit
SELECT {audit} FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2
-- name: put_audit
INSERT INTO audit ({audit}) VALUES ({ten}, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
-- name: count_audit
SELECT count(*) FROM audit

-- name: read_audit_marks
SELECT {marks} FROM audit_marks WHERE kind >= ?1 AND (kind > ?1 OR slot > ?2) ORDER BY kind, slot LIMIT ?3
-- name: put_audit_marks
INSERT INTO audit_marks ({marks}) VALUES ({five}, ?6)
-- name: count_audit_marks
SELECT count(*) FROM audit_marks

-- What describes the database itself stays where it is.
-- name: read_settings
SELECT name, value FROM settings
WHERE name > ?1 AND name NOT IN ('store.check', 'copy.incomplete') ORDER BY name LIMIT ?2
-- name: put_settings
INSERT INTO settings (name, value) VALUES (?1, ?2)
-- name: count_settings
SELECT count(*) FROM settings WHERE name NOT IN ('store.check', 'copy.incomplete')
