# SPDX-License-Identifier: Apache-2.0
"""Many HTTP jobs due close together: the target sees each exactly once. CHRONOS_HTTP_JOBS=10000 and CHRONOS_HTTP_SECONDS=60
give the release figures; the delay is printed (bench/ compares it), only its sanity is asserted here."""
import collections
import datetime
import os

from chronos import wait_until

COUNT = int(os.environ.get("CHRONOS_HTTP_JOBS", "2000"))
SECONDS = int(os.environ.get("CHRONOS_HTTP_SECONDS", "6"))


def test_each_target_call_is_seen_exactly_once(server, target):
    begin = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=5)
    jobs = []
    for i in range(COUNT):
        due = begin + datetime.timedelta(milliseconds=i * SECONDS * 1000 // COUNT)
        jobs.append({"name": f"job {i}", "type": "HTTP", "payload": {"httpUrl": f"{target.url}/{i}"},
                     "schedule": {"scheduleType": "ONCE", "runAt": due.isoformat(timespec="milliseconds")}})
    server.create_many(jobs)
    wait_until(lambda: len(target.calls()) >= COUNT, SECONDS + 60, "all calls")
    wait_until(lambda: not server.runs(status="RUNNING"), what="all results")
    seen = collections.Counter(uri for _, uri, _, _ in target.calls())
    assert len(seen) == COUNT and set(seen.values()) == {1}
    delays = sorted(run["startDelayMs"] for run in server.runs())
    assert len(delays) == COUNT
    print(f"start delay ms: p50 {delays[COUNT // 2]} p99 {delays[COUNT * 99 // 100]} max {delays[-1]}")
