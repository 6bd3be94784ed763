# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments: nothing lost, nothing doubled without a new attempt, no row without an exit.

The evidence is the target's own log, not the scheduler's word. CHRONOS_KILLS and CHRONOS_JOBS raise the figures
(the release run uses 50 kills at 200 runs a second); the seed is printed.
"""
import collections
import os
import random
import time

from chronos import wait_until

KILLS = int(os.environ.get("CHRONOS_KILLS", "5"))
JOBS = int(os.environ.get("CHRONOS_JOBS", "200"))
FINAL = {"SUCCEEDED", "FAILED", "TIMED_OUT", "CANCELLED", "LOST", "SKIPPED", "MISSED"}


def test_killed_at_random_moments_it_loses_and_doubles_nothing(server, target):
    seed = int(os.environ.get("CHRONOS_SEED", str(random.randrange(1 << 30))))
    print("seed", seed)
    chance = random.Random(seed)
    jobs = server.create_many([
        {"name": f"every second {i}", "type": "HTTP", "payload": {"httpUrl": f"{target.url}/{i}"},
         "schedule": {"scheduleType": "INTERVAL", "intervalSeconds": 1, "misfirePolicy": "FIRE_ALL"}}
        for i in range(JOBS)])
    wait_until(lambda: len(target.calls()) > JOBS, what="the first runs")
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.2, 1.5))
        server.kill()
        server.start()
    server.login()
    time.sleep(2)
    for job in jobs:
        assert server.call("POST", f"/jobs/{job['id']}:pause").status == 200
    wait_until(lambda: not server.runs(status="RUNNING") and not server.runs(status="QUEUED"), 60, "quiet")
    check_history(server, target, jobs)


def check_history(server, target, jobs):
    calls = collections.Counter((key, attempt) for _, _, key, attempt in target.calls())
    doubled = {call: n for call, n in calls.items() if n > 1}
    assert not doubled, f"attempts started twice: {doubled}"
    lost_total = 0
    for job in jobs:
        runs = server.runs(job["id"])
        assert all(run["status"] in FINAL for run in runs)
        by_key = collections.defaultdict(list)
        for run in runs:
            by_key[run["runKey"]].append(run)
        for attempts in by_key.values():
            attempts.sort(key=lambda run: run["attempt"])
            assert [run["attempt"] for run in attempts] == list(range(1, len(attempts) + 1)), attempts
            # A second attempt of this job only ever follows the loss of an owner.
            assert all(run["status"] == "LOST" for run in attempts[:-1]), attempts
            assert attempts[-1]["status"] == "SUCCEEDED", attempts[-1]
            lost_total += len(attempts) - 1
            assert any(calls[(run["runKey"], run["attempt"])] for run in attempts), "never reached the target"
        instants = sorted({parse(attempts[0]["scheduledTime"]) for attempts in by_key.values()})
        gaps = [b - a for a, b in zip(instants, instants[1:])]
        assert all(gap == 1000 for gap in gaps), f"occurrences missing: {gaps}"
    print("attempts repeated after the loss of their owner:", lost_total)


def parse(text):
    """Milliseconds since the epoch of 2026-01-01T00:00:00.000Z."""
    whole, fraction = text.rstrip("Z").split(".")
    seconds = time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone
    return int(seconds) * 1000 + int(fraction)
