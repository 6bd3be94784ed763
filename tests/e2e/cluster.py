# SPDX-License-Identifier: Apache-2.0
"""Several real nodes on one database, the target they call, the load they carry and the faults done to them."""
import contextlib
import datetime
import importlib
import os
import pathlib
import signal
import sys
import time

import chronos
import evidence

sys.path.insert(0, str(chronos.ROOT / "tests/servers"))
ECHO_MODULE = "/usr/lib/nginx/modules/ngx_http_echo_module.so"
HOLD_SECONDS = 0.5
STEPS_MS = (1000, 2000, 5000, 10000, 30000, 60000)
EXCLUSIVE_STEP_MS = 60000
LEASE_S, HEARTBEAT_S, TAKEOVER_SLACK_S = 30, 10, 5  # of the settings when nothing is set


def now_ms():
    return int(time.time() * 1000)


def text_of(ms):
    """RFC 3339 of milliseconds since 1970."""
    whole, part = divmod(ms, 1000)
    return datetime.datetime.fromtimestamp(whole, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{part:03d}Z"


def database(name, **how):
    """The test server of that name, not started."""
    return importlib.import_module(name).Server(**how)


def lease_settings(seconds, heartbeat):
    return {"CHRONOS_CLUSTER_LEASESECONDS": str(seconds), "CHRONOS_CLUSTER_HEARTBEATSECONDS": str(heartbeat)}


def takeover_seconds(lease=LEASE_S, heartbeat=HEARTBEAT_S):
    """The promise after the loss of a node."""
    return lease + heartbeat + TAKEOVER_SLACK_S


class Target(chronos.Nginx):
    """Answers at once below /now, and after half a second below /hold. Its log is the evidence."""

    modules = f"load_module {ECHO_MODULE};"
    log_format = evidence.LOG_FORMAT

    def __init__(self, folder):
        super().__init__(folder, answers="return 204; }"
                         f" location /hold {{ echo_sleep {HOLD_SECONDS}; echo done;")

    def starts(self):
        path = self.folder / "access.log"
        return evidence.read_log(path.read_text()) if path.exists() else []


class Node(chronos.Server):
    """One member. It may be killed, frozen, ended and started again under its name."""

    def __init__(self, folder, name, url=None, host=None, prefix=(), **settings):
        if url:
            settings["CHRONOS_DB_URL"] = url
        super().__init__(folder, CHRONOS_NODE_NAME=name, **settings)
        self.name, self.prefix = name, prefix
        self.host = host or self.host

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def freeze(self, frozen):
        self.process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)


class Cluster:
    """Nodes n1, n2, … on one database (url), or one node on SQLite when url is None."""

    def __init__(self, folder, count, url=None, make=Node, **settings):
        assert url or count == 1, "SQLite has one node"
        self.folder = pathlib.Path(folder)
        self.nodes = [make(self.folder / f"n{i}", f"n{i}", url, **settings) for i in range(1, count + 1)]

    def start(self):
        # The first one makes the tables and the administrator.
        self.nodes[0].start()
        for node in self.nodes[1:]:
            node.start(wait=False)
        for node in self.nodes:
            chronos.wait_until(node.ready, 60, f"readiness of {node.name}")
            node.login()
        if len(self.nodes) > 1:
            chronos.wait_until(self.complete, 60, "a cluster of all nodes")
        return self

    def complete(self):
        """Whether every node divides the jobs among all nodes."""
        return all(node.call("GET", "/actuator/cluster-info", base="").json.items()
                   >= {"nodes": len(self.nodes), "viewAgreed": True}.items() for node in self.nodes)

    def stop(self):
        for node in self.nodes:
            if node.running:
                node.freeze(False)
                node.process.terminate()
        return [node.stop() for node in self.nodes if node.process]

    def close(self):
        with contextlib.suppress(AssertionError):
            self.stop()

    @property
    def living(self):
        return [node for node in self.nodes if node.running]

    def any(self):
        """A node that answers."""
        for node in self.living:
            with contextlib.suppress(OSError):
                if node.call("GET", "/readyz", base="", auth=False).status == 200:
                    node.login()
                    return node
        raise AssertionError("no node answers")

    def unfinished(self):
        return [run for status in ("RUNNING", "QUEUED") for run in self.any().runs(status=status)]


class Load:
    """Jobs made through the API together with what is expected of them, from begin to end (ms)."""

    def __init__(self, cluster, target, begin, end):
        self.cluster, self.target, self.begin, self.end = cluster, target, begin, end
        self.jobs = []

    def add(self, bodies, expect):
        made = self.cluster.any().create_many(bodies)
        self.jobs += [evidence.Job(one["id"], **how) for one, how in zip(made, expect)]
        return made

    def body(self, name, schedule, path="now", **more):
        return {"name": name, "type": "HTTP", "payload": {"httpUrl": f"{self.target.url}/{path}", "timeoutSeconds": 30},
                "schedule": {"misfirePolicy": "FIRE_ALL", "maxCatchUp": 1000, **schedule}, **more}

    def manuals(self, count):
        """Jobs that only run when asked to; nothing is expected of them here."""
        return self.add([{**self.body(f"by hand {i}", {}), "schedule": {"scheduleType": "MANUAL"}} for i in range(count)],
                        [{}] * count)

    def grids(self, count, steps=STEPS_MS):
        """Recurring jobs of those steps in turn, spread over the first second; every third call takes half a second."""
        bodies, expect = [], []
        for i in range(count):
            step, start = steps[i % len(steps)], self.begin + i * 1000 // count
            bodies.append(self.body(f"grid {i}", self.grid(step, start), "hold" if i % 3 == 2 else "now"))
            expect.append({"start": start, "step": step})
        return self.add(bodies, expect)

    def grid(self, step, start):
        return {"scheduleType": "INTERVAL", "intervalMs": step, "startAt": text_of(start), "endAt": text_of(self.end - 1)}

    def exclusives(self, count, step=EXCLUSIVE_STEP_MS):
        """Recurring jobs that never run twice at a time; the step is longer than any take-over."""
        starts = [self.begin + i * min(step, self.end - self.begin - 1) // count for i in range(count)]
        return self.add([self.body(f"exclusive {i}", self.grid(step, start), "hold", concurrencyPolicy="FORBID")
                         for i, start in enumerate(starts)],
                        [{"start": start, "step": step, "exclusive": True} for start in starts])

    def onces(self, count):
        """One-off jobs, evenly spread."""
        instants = [self.begin + i * (self.end - self.begin) // count for i in range(count)]
        return self.add([self.body(f"once {i}", {"scheduleType": "ONCE", "runAt": text_of(t)}) for i, t in enumerate(instants)],
                        [{"instants": [t]} for t in instants])

    def same_instant(self, count, at):
        return self.add([self.body(f"at once {i}", {"scheduleType": "ONCE", "runAt": text_of(at)}) for i in range(count)],
                        [{"instants": [at]}] * count)

    def starts(self):
        """What the target saw of these jobs."""
        mine = {job.id for job in self.jobs}
        return [start for start in self.target.starts() if start.job in mine]

    def missing(self, begin=None, end=None):
        """Occurrences without a start so far."""
        seen = {(start.job, start.scheduled) for start in self.target.starts()}
        return [(job.id, t) for job in self.jobs for t in job.expected(begin or self.begin, end or self.end)
                if (job.id, t) not in seen]

    def runs(self):
        """The scheduler's own account of these jobs."""
        mine = {job.id for job in self.jobs}
        return [run for run in self.cluster.any().runs() if run["jobId"] in mine]

    def settle(self, window, faults=(), skew=0):
        """Waits until nothing is left to do, then judges."""
        time.sleep(max(0, self.end - now_ms()) / 1000)
        with contextlib.suppress(AssertionError):  # what is still missing is the judge's to tell
            chronos.wait_until(lambda: not self.missing() and not self.cluster.unfinished(), window / 1000, "quiet")
        runs, starts = self.runs(), self.starts()
        verdict = evidence.check(self.jobs, starts, self.begin, self.end, window, faults, evidence.skipped_of(runs),
                                 skew)
        evidence.compare(verdict, runs, starts, now_ms(), faults, stuck_ms=0)
        return verdict


class Faults(list):
    """What was done to the cluster, for the judge; times in ms."""

    @contextlib.contextmanager
    def during(self, kind, node=None, owner_lost=False):
        begin = now_ms()
        at = len(self)
        self.append(evidence.Fault(kind, begin, begin + 10**9, node, owner_lost))
        try:
            yield
        finally:
            self[at] = self[at]._replace(until=now_ms())


def takeover_ms(job_ids, starts, killed_at, jobs):
    """How long after the loss of their node these jobs ran again, the slowest of them; None when one never did."""
    grids = {job.id: job for job in jobs}
    slowest = 0
    for id in job_ids:
        later = [start.at for start in starts if start.job == id and start.at > killed_at]
        due = grids[id].expected(killed_at, killed_at + 10 * grids[id].step)[0]
        if not later:
            return None
        slowest = max(slowest, min(later) - max(due, killed_at))
    return slowest


def keep(folder, name):
    """A folder for histories that are worth keeping: CHRONOS_HISTORY, or the given one."""
    path = pathlib.Path(os.environ.get("CHRONOS_HISTORY", folder)) / name
    path.mkdir(parents=True, exist_ok=True)
    return path
