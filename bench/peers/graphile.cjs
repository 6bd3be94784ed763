// SPDX-License-Identifier: Apache-2.0
// Drain of no-op jobs by graphile-worker in the set-up its documentation calls fast, a local queue and completions in
// batches, with the sizes that were fastest of those tried. Jobs are added in bulk, and the planner is told of them, before
// the clock starts. Prints one JSON line.
//
//   DATABASE_URL=postgresql://… node graphile.cjs FOLDER-WITH-node_modules COUNT
"use strict";
const { createRequire } = require("module");
const path = require("path");

const [folder, countText] = process.argv.slice(2);
const count = Number(countText);
const load = createRequire(path.join(path.resolve(folder), "package.json"));
const { run, makeWorkerUtils, Logger } = load("graphile-worker");
const { Pool } = load("pg");
const connectionString = process.env.DATABASE_URL;
const BULK = 10000, CONCURRENCY = 500, CONNECTIONS = 25, LOCAL_QUEUE = 10000, LOOK_MS = 5;

async function fill(utils) {
  await utils.migrate();
  const begun = process.hrtime.bigint();
  for (let done = 0; done < count; done += BULK) {
    const size = Math.min(BULK, count - done);
    await utils.addJobs(Array.from({ length: size }, (_, i) => ({ identifier: "noop", payload: { n: done + i } })));
  }
  return Number(process.hrtime.bigint() - begun) / 1e9;
}

async function main() {
  const preset = {
    worker: {
      connectionString, concurrentJobs: CONCURRENCY, maxPoolSize: CONNECTIONS, localQueue: { size: LOCAL_QUEUE },
      completeJobBatchDelay: 0, failJobBatchDelay: 0, logger: new Logger(() => () => {}),
    },
  };
  const utils = await makeWorkerUtils({ preset });
  const fillSeconds = await fill(utils);
  const pool = new Pool({ connectionString, max: 1 });
  await pool.query("vacuum analyze graphile_worker._private_jobs");
  let ran = 0, first = 0n;
  const taskList = {
    noop: () => {
      if (ran++ === 0) first = process.hrtime.bigint();
    },
  };
  const runner = await run({ preset, taskList });
  // Done means what it means for the others: no row is left to do and every completion is committed.
  while (ran < count) await new Promise((go) => setTimeout(go, LOOK_MS));
  for (let left = 1; left > 0; )
    left = (await pool.query("select count(*)::int as n from graphile_worker._private_jobs")).rows[0].n;
  const seconds = Number(process.hrtime.bigint() - first) / 1e9;
  await runner.stop();
  await utils.release();
  await pool.end();
  console.log(JSON.stringify({ peer: "graphile-worker", version: load("graphile-worker/package.json").version, jobs: count, ran,
    runs_per_s: Math.round(count / seconds), bulk_add_per_s: Math.round(count / fillSeconds) }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
