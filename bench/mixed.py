#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every job type at once against real local servers, at a steady rate: how late runs start, and what the server's memory does.

    python3 bench/mixed.py [--build build/release] [--rate 500] [--seconds 300] [--only HTTP,SCRIPT]

Prints a JSON line every ten seconds and one at the end with the verdict: start delay p99 ≤ 50 ms, memory flat, nothing
failed. A type takes part when the server has it and one run of its payload has succeeded; the others are named with
their reason, and their share goes to HTTP.
"""
import argparse
import contextlib
import datetime
import json
import os
import pathlib
import sys
import tempfile
import time

from run import BATCH_SIZE, ROOT, Fresh, database, quantile, say, soon

sys.path[:0] = [str(ROOT / "tests/servers"), str(ROOT / "tests/types")]
import chronos as e2e  # noqa: E402

LOOK_SECONDS, LEAD_SECONDS = 10, 5
LATE_MS, GROWTH = 50, 1.10
# Runs of 500; DUMMY and HTTP cost us next to nothing but the engine, the others their library or a process.
SHARES = {"HTTP": 280, "DUMMY": 100, "SCRIPT": 10, "DATABASE": 30, "CACHE": 30, "FILE_SYSTEM": 20, "MESSAGE_QUEUE": 20,
          "EMAIL": 5, "REPORT": 1, "DB_TO_KAFKA": 4}
ROWS = 100  # that one run of DB_TO_KAFKA moves


class World:
    """The real servers that jobs call, each started when the first type needs it."""

    def __init__(self, folder, stack):
        self.folder, self.stack, self.servers = pathlib.Path(folder), stack, {}

    def get(self, name):
        if name not in self.servers:
            if name == "nginx":
                made = e2e.Nginx(self.folder / "nginx").start()
                self.stack.callback(made.stop)
            else:
                made = self.stack.enter_context(__import__(name).Server())
            self.servers[name] = made
        return self.servers[name]

    def payload(self, kind, root):
        """What a job of this type does, or None when nobody has written that yet."""
        if kind == "HTTP":
            return {"httpUrl": self.get("nginx").url + "/mixed"}
        if kind == "DUMMY":
            return {"metadata": {"outputLines": 1}}
        if kind == "SCRIPT":
            return {"script": "#!/bin/sh\necho done\n", "limits": {"sandbox": "RESTRICTED", "bestEffort": True}}
        if kind == "FILE_SYSTEM":
            return {"operation": "WRITE", "path": f"{root}/mixed-{{{{run.id}}}}", "content": "{{run.id}}"}
        if kind == "DATABASE":
            return {"databaseUrl": self.get("postgres").url(), "query": "SELECT 1 AS one"}
        redis = __import__("redis")
        if kind == "CACHE":
            return {"operation": "WARM", "region": "mixed", "entries": {"a": "1", "b": "2"}, "timeToLiveSeconds": 60,
                    "cacheConfig": {"type": "REDIS", "host": "127.0.0.1", "port": self.get("redis").port, "password": redis.ADMIN}}
        if kind == "MESSAGE_QUEUE":
            return {"operationType": "PRODUCE", "queueName": "mixed", "messageBody": "{{run.id}}", "queueConfig": {
                "type": "REDIS", "host": "127.0.0.1", "port": self.get("redis").port, "password": redis.ADMIN}}
        if kind == "REPORT":
            return {"reportType": "JOB_SUMMARY", "format": "CSV", "targetPath": f"{root}/report-{{{{run.id}}}}.csv"}
        if kind == "DB_TO_KAFKA":
            return {"databaseUrl": self.get("postgres").url(), "kafkaTopic": "mixed",
                    "bootstrapServers": self.get("kafka").brokers,
                    "query": f"SELECT n AS id, 'row ' || n AS name FROM generate_series(1, {ROWS}) AS n"}
        if kind == "EMAIL":
            return {"to": ["a@example.com"], "subject": "mixed", "text": "{{run.id}}"}
        return None


def probe(server, world, kind, root):
    """The payload when one run of it has succeeded; else why not."""
    try:
        payload = world.payload(kind, root)
        if payload is None:
            return None, "this program has no payload for it"
        made = server.create(name=f"probe-{kind}", type=kind, schedule={"scheduleType": "MANUAL"}, payload=payload)
        run_id = server.call("POST", f"/jobs/{made['id']}:run-now", {}).json["id"]
        run = e2e.wait_until(lambda: (r := server.call("GET", f"/runs/{run_id}").json)["status"] not in ("QUEUED", "RUNNING") and r)
        return (payload, None) if run["status"] == "SUCCEEDED" else (None, run["errorMessage"])
    except Exception as why:  # whatever a server of somebody else's says
        return None, str(why)[:200]


def chosen(server, world, root, only):
    """Payloads by type, and the reasons of those left out."""
    payloads, left = {}, {}
    for t in server.call("GET", "/job-types").json["content"]:
        kind = t["name"]
        if kind not in SHARES or (only and kind not in only):
            continue
        payload, why = probe(server, world, kind, root) if t["available"] else (None, t["unavailableReason"])
        if why:
            left[kind] = why
        else:
            payloads[kind] = payload
    return payloads, left


def mix(payloads, rate):
    """One word per job; each job runs once a second."""
    whole = sum(SHARES.values())
    words = [kind for kind in payloads for _ in range(max(1, SHARES[kind] * rate // whole))]
    filler = "HTTP" if "HTTP" in payloads else next(iter(payloads))
    words += [filler] * (rate - len(words))
    return words[:rate]


def create(server, words, payloads, begin, seconds):
    """Evenly over each second, types mixed."""
    step = max(1, len(words) // 7)
    order = sorted(range(len(words)), key=lambda i: (i % step, i))
    jobs = []
    for place, i in enumerate(order):
        start = begin + datetime.timedelta(seconds=place / len(words))
        jobs.append({"name": f"mixed-{i}", "type": words[i], "payload": payloads[words[i]], "concurrencyPolicy": "ALLOW",
                     "schedule": {"scheduleType": "INTERVAL", "intervalSeconds": 1,
                                  "startAt": start.isoformat(timespec="milliseconds"),
                                  "endAt": (begin + datetime.timedelta(seconds=seconds)).isoformat(timespec="milliseconds")}})
    for at in range(0, len(jobs), BATCH_SIZE):
        answer = server.call("POST", "/jobs:batch", {"jobs": jobs[at:at + BATCH_SIZE]})
        assert answer.status == 201, answer.body[:2000]


def memory_kb(pid):
    return next(int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS"))


def figures(server, since_us, until_us):
    """Delays in ms of what was due between two instants, and how many runs did not end well."""
    with contextlib.closing(database(server)) as db:
        rows = db.execute("SELECT started - coalesce(due, scheduled), status FROM runs WHERE scheduled >= ? AND scheduled < ?",
                          (since_us, until_us)).fetchall()
    late = sorted(row[0] / 1000 for row in rows if row[0] is not None)
    return late, len(rows), sum(1 for row in rows if row[1] > 2)


def watch(server, begin, seconds):
    memories, all_late, failed, total = [], [], 0, 0
    first = int(begin.timestamp() * 1e6)
    for n in range(1, seconds // LOOK_SECONDS + 1):
        time.sleep(max(0, first / 1e6 + n * LOOK_SECONDS + 1 - time.time()))
        late, runs, bad = figures(server, first + (n - 1) * LOOK_SECONDS * 10**6, first + n * LOOK_SECONDS * 10**6)
        memories.append(memory_kb(server.process.pid))
        all_late += late
        failed, total = failed + bad, total + runs
        if late:
            say("mixed", seconds=n * LOOK_SECONDS, runs=runs, failed=bad, delay_p50_ms=round(quantile(late, .5), 2),
                delay_p99_ms=round(quantile(late, .99), 2), delay_max_ms=round(late[-1], 1), memory_kb=memories[-1])
    return sorted(all_late), memories, failed, total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--only", default="", help="types, separated by commas")
    args = parser.parse_args()
    e2e.BINARY = os.environ["CHRONOS_BINARY"] = str((ROOT / args.build / "chronos").resolve())
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="chronos-mixed-"))
        root = pathlib.Path(folder) / "root"
        root.mkdir()
        world = World(folder, stack)
        settings = {"CHRONOS_FILES_ROOTS": str(root)}
        with contextlib.suppress(Exception):
            settings["CHRONOS_MAIL_URL"] = world.get("smtp").url()
        server = stack.enter_context(Fresh(**settings))
        payloads, left = chosen(server, world, root, set(filter(None, args.only.split(","))))
        words = mix(payloads, args.rate)
        say("mixed", rate=args.rate, types={k: words.count(k) for k in payloads}, left_out=left)
        begin = soon(LEAD_SECONDS)
        create(server, words, payloads, begin, args.seconds)
        late, memories, failed, total = watch(server, begin, args.seconds)
        settled = memories[len(memories) // 2:]  # by then the store has taken the memory it keeps for pages
        growth = settled[-1] / settled[0]
        p99 = quantile(late, .99)
        say("mixed", runs=total, failed=failed, delay_p50_ms=round(quantile(late, .5), 2), delay_p99_ms=round(p99, 2),
            memory_growth=round(growth, 3), good=p99 <= LATE_MS and growth <= GROWTH and failed == 0)


if __name__ == "__main__":
    sys.exit(main())
