-- SPDX-License-Identifier: Apache-2.0
-- Empties every table of a server's database between two tests.
-- name: {table}
-- each table: jobs=jobs | plans=plans | plan_specs=plan_specs | runs=runs | run_logs=run_logs | dead_letters=dead_letters | users=users | one_time_passwords=one_time_passwords | api_keys=api_keys | teams=teams | team_members=team_members | sessions=sessions | settings=settings | nodes=nodes | changes=changes | duties=duties | outbox=outbox | secrets=secrets | memos=memos | requests_once=requests_once | breakers=breakers | notices=notices | subscriptions=subscriptions | notice_marks=notice_marks | deliveries=deliveries | audit=audit | audit_marks=audit_marks
DELETE FROM {table}
