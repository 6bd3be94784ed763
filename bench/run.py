#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the real binary and prints one JSON line per figure. bench/README.md says how each is made.

    python3 bench/run.py [--build build/release] [--only drain,create] [--rounds 3] [--quick]

Ceiling and Chronos alternate within one run; quote medians and the ratio, not one absolute figure.
"""
import argparse
import datetime
import json
import os
import pathlib
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/e2e"))
os.environ.setdefault("CHRONOS_BINARY", str(ROOT / "build/release/chronos"))
import chronos as e2e  # noqa: E402

CREATE_CONNECTIONS, BATCH_CONNECTIONS, BATCH_SIZE = 64, 4, 1000
LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer %s"
local file = io.open("%s", "rb")
wrk.body = file:read("*a")
file:close()
bad = 0
function response(status) if status ~= 201 then bad = bad + 1 end end
"""


def say(bench, **figures):
    print(json.dumps({"bench": bench, **figures}), flush=True)


def quantile(values, q):
    return values[min(len(values) - 1, int(len(values) * q))]


def job(name, due=None, **fields):
    schedule = {"scheduleType": "MANUAL"} if due is None else {
        "scheduleType": "ONCE", "runAt": due.isoformat(timespec="milliseconds")}
    return {"name": name, "type": "DUMMY", "schedule": schedule, "payload": {"metadata": {}}, **fields}


def soon(seconds):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)


class Fresh:
    """A server on a new folder on the disk that holds the project, ended and removed at the end."""

    def __init__(self, **settings):
        base = ROOT / "var"
        base.mkdir(exist_ok=True)
        self.folder = tempfile.TemporaryDirectory(dir=base, prefix="bench-")
        self.server = e2e.Server(self.folder.name, **settings)

    def __enter__(self):
        self.server.start()
        self.server.login()
        return self.server

    def __exit__(self, *_):
        self.server.stop()
        self.folder.cleanup()


def database(server):
    return sqlite3.connect(f"file:{server.folder}/data/chronos.db?mode=ro", uri=True)


def ceiling(args, batch):
    """Runs/s of the bare C loop with the same tables and row shapes, in batches of that size."""
    with tempfile.TemporaryDirectory(dir=ROOT / "var", prefix="ceiling-") as folder:
        out = subprocess.run([ROOT / args.build / "bench/store_bench", folder, "0.5"], capture_output=True, text=True,
                             check=True).stdout
    return next(row["bare_runs_per_s"] for row in map(json.loads, out.splitlines()) if row["batch"] == batch)


def drain_once(count):
    with Fresh() as server:
        due = soon(3 + count / 20000)
        for start in range(0, count, BATCH_SIZE):
            server.create_many([job(f"drain {i}", due) for i in range(start, start + BATCH_SIZE)])
        e2e.wait_until(lambda: e2e.metric(server, "chronos_runs_total") >= count, 120, "the drain")
        with database(server) as db:
            first, last, done = db.execute("SELECT min(started), max(ended), count(*) FROM runs WHERE status = 2").fetchone()
        assert done == count, f"{done} of {count} runs succeeded"
        return count / ((last - first) / 1e6)


def bench_drain(args):
    count = 20000 if args.quick else 100000
    ours, bare = [], []
    for _ in range(args.rounds):
        bare.append(ceiling(args, 500))
        ours.append(drain_once(count))
    say("drain", jobs=count, runs_per_s=round(statistics.median(ours)), ceiling_per_s=round(statistics.median(bare)),
        ratio=round(statistics.median(a / b for a, b in zip(ours, bare)), 3), all=[round(x) for x in ours])


def bench_lateness(args):
    stored = 10000 if args.quick else 100000
    seconds = 10 if args.quick else 30
    for rate in (200, 1000):
        with Fresh() as server:
            far = datetime.datetime(2099, 1, 1, tzinfo=datetime.timezone.utc)
            server.create_many([job(f"stored {i}", far) for i in range(stored)])
            begin = soon(2)
            server.create_many([job(f"due {i}", begin + datetime.timedelta(seconds=i / rate)) for i in range(rate * seconds)])
            e2e.wait_until(lambda: e2e.metric(server, "chronos_runs_total") >= rate * seconds, seconds + 60, "all runs")
            with database(server) as db:
                late = sorted(row[0] / 1000 for row in db.execute("SELECT started - coalesce(due, scheduled) FROM runs"))
            say("lateness", rate_per_s=rate, stored=stored, runs=len(late), early=sum(x < 0 for x in late),
                p50_ms=quantile(late, .5), p99_ms=quantile(late, .99), max_ms=late[-1])


def wrk(server, body, connections, seconds):
    folder = pathlib.Path(server.folder)
    (folder / "body.json").write_text(body)
    (folder / "wrk.lua").write_text(LUA % (server.token, folder / "body.json"))
    out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", folder / "wrk.lua",
                          server.url + ("/api/v1/jobs:batch" if connections == BATCH_CONNECTIONS else "/api/v1/jobs")],
                         capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out:
        raise AssertionError(out)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    return rate, re.search(r"^\s+99%\s+([\d.]+\w+)", out, re.M).group(1)


def bench_create(args):
    seconds = 3 if args.quick else 8
    single, batch = [], []
    for _ in range(args.rounds):
        with Fresh() as server:
            single.append(wrk(server, json.dumps(job("created")), CREATE_CONNECTIONS, seconds))
        with Fresh() as server:
            rate, p99 = wrk(server, json.dumps({"jobs": [job("created")] * BATCH_SIZE}), BATCH_CONNECTIONS, seconds)
            batch.append((rate * BATCH_SIZE, p99))
    say("create", connections=CREATE_CONNECTIONS, jobs_per_s=round(statistics.median(r for r, _ in single)), p99=single[-1][1],
        all=[round(r) for r, _ in single])
    say("create_batch", batch=BATCH_SIZE, connections=BATCH_CONNECTIONS,
        jobs_per_s=round(statistics.median(r for r, _ in batch)), p99=batch[-1][1], all=[round(r) for r, _ in batch])


def bench_http(args):
    count = 10000 if args.quick else 60000
    rates = []
    for _ in range(args.rounds):
        with Fresh() as server:
            target = e2e.Nginx(pathlib.Path(server.folder) / "nginx").start()
            due = soon(3 + count / 15000)
            server.create_many([job(f"http {i}", due, type="HTTP", payload={"httpUrl": f"{target.url}/{i % 100}"})
                                for i in range(count)])
            e2e.wait_until(lambda: e2e.metric(server, "chronos_runs_total") >= count, 120, "all calls")
            calls = [call[0] for call in target.calls()]
            with database(server) as db:
                first, last, done = db.execute(
                    "SELECT min(started), max(ended), count(*) FROM runs WHERE status = 2").fetchone()
            target.stop()
            assert len(calls) == done == count, (len(calls), done)
            rates.append(count / ((last - first) / 1e6))
    say("http", calls=count, calls_per_s=round(statistics.median(rates)), all=[round(r) for r in rates])


def memory_mb(pid):
    """(resident memory of the server, memory of server and spawner with shared pages counted once), MB."""
    pids = [pid] + [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    rollups = [pathlib.Path(f"/proc/{one}/smaps_rollup").read_text() for one in pids]
    rss = int(re.search(r"^Rss:\s+(\d+)", rollups[0], re.M).group(1))
    pss = sum(int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1)) for text in rollups)
    return {"server_rss_mb": round(rss / 1024, 1), "with_spawner_pss_mb": round(pss / 1024, 1)}


def bench_memory(args):
    with Fresh() as server:
        time.sleep(2)
        say("memory_idle", **memory_mb(server.process.pid))
    if args.quick:
        return
    with Fresh() as server:
        far = datetime.datetime(2099, 1, 1, tzinfo=datetime.timezone.utc)
        body = json.dumps({"jobs": [job("stored", far)] * BATCH_SIZE}).encode()
        for _ in range(1000):
            answer = server.call("POST", "/jobs:batch", body)
            assert answer.status == 201
        time.sleep(2)
        say("memory_1m_jobs", **memory_mb(server.process.pid))
        server.stop()
        server.start()
        server.login()
        time.sleep(1)
        say("memory_1m_jobs_restarted", **memory_mb(server.process.pid))


def bench_start(args):
    times = []
    with Fresh() as server:
        for _ in range(10):
            server.stop()
            begun = time.monotonic()
            server.start(wait=False)
            while True:
                try:
                    if server.call("GET", "/readyz", base="", auth=False).status == 200:
                        break
                except OSError:
                    time.sleep(0.001)
            times.append((time.monotonic() - begun) * 1000)
    times.sort()
    say("start", ready_ms_median=round(statistics.median(times), 1), ready_ms_max=round(times[-1], 1))


BENCHES = {"drain": bench_drain, "lateness": bench_lateness, "create": bench_create, "http": bench_http,
           "memory": bench_memory, "start": bench_start}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--only", default=",".join(BENCHES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    e2e.BINARY = str(ROOT / args.build / "chronos")
    (ROOT / "var").mkdir(exist_ok=True)
    for name in args.only.split(","):
        BENCHES[name](args)


if __name__ == "__main__":
    main()
