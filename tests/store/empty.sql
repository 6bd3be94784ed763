-- SPDX-License-Identifier: Apache-2.0
-- Empties every table of a server's database between two tests.
-- name: {table}
-- each table: jobs=jobs | plans=plans | plan_specs=plan_specs | runs=runs | run_logs=run_logs | dead_letters=dead_letters | users=users | sessions=sessions | settings=settings | nodes=nodes | changes=changes | duties=duties | outbox=outbox | secrets=secrets | memos=memos | breakers=breakers
DELETE FROM {table}
