# SPDX-License-Identifier: Apache-2.0
"""Judges what a cluster did by the log of the target alone: what was lost, early, late, started twice, overlapping.

The occurrences are computed from each job's schedule and the starts are what the target saw, so the scheduler's own
tables have no say. compare() then asks whether those tables tell the same story. All instants are milliseconds since
1970 as floats or integers.
"""
import bisect
import collections
import datetime
import os

SLOW = 10 if os.environ.get("CHRONOS_SANITIZED") else 1
HEALTHY_MS = 2000 * SLOW  # a start may be that late while nothing is broken
BACK_MS = 5000 * SLOW     # after the database is back, or a node has ended in order
EARLY_MS = 2           # the target's clock reads milliseconds
WAKE_MS = 5000         # a frozen owner may still act that long after it goes on
RECORD_MS = 2000       # from the end of a call to its durable result
FINAL = {"SUCCEEDED", "FAILED", "TIMED_OUT", "CANCELLED", "LOST", "SKIPPED", "MISSED"}

# One call at the target. source is the address it came from; status 499: the caller hung up.
Start = collections.namedtuple("Start", "at end status source job scheduled attempt key run")

# A disturbance. kind: kill, stop, cut, database, restart. owner_lost: leases may end because of it; node: whose, or
# None for all; until: when it was healed.
Fault = collections.namedtuple("Fault", "kind begin until node owner_lost")


class Job:
    """What is expected of one job: a grid of instants (start, step), or the instants themselves."""

    def __init__(self, id, start=None, step=None, instants=(), exclusive=False):
        self.id, self.start, self.step, self.exclusive = id, start, step, exclusive
        self.instants = sorted(instants)

    def expected(self, begin, end):
        """Its occurrences in [begin, end)."""
        if self.step is None:
            return [t for t in self.instants if begin <= t < end]
        first = max(0, -(-(begin - self.start) // self.step))
        return list(range(self.start + first * self.step, end, self.step))

    def has(self, t):
        return (t - self.start) % self.step == 0 and t >= self.start if self.step else t in self.instants


def instant_ms(text):
    """Milliseconds since 1970 of an RFC 3339 instant in UTC."""
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return round((moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) / datetime.timedelta(milliseconds=1))


def read_log(text):
    """Starts of a log in the format LOG_FORMAT, in order of arrival."""
    starts = []
    for line in text.splitlines():
        part = line.split(" ")
        if len(part) != 9 or part[4] == "-":
            continue
        end, took = float(part[0]) * 1000, float(part[1]) * 1000
        starts.append(Start(end - took, end, int(part[2]), part[3], part[4], instant_ms(part[5]), int(part[6]), part[7],
                            part[8]))
    starts.sort(key=lambda start: start.at)
    return starts


LOG_FORMAT = ("$msec $request_time $status $remote_addr $http_chronos_job_id $http_chronos_scheduled_time "
              "$http_chronos_attempt $http_chronos_run_key $http_chronos_run_id")


class Verdict:
    """Findings by kind; each finding is a dictionary that names the evidence."""

    KINDS = ("lost", "unmatched", "late", "early", "phantom", "extra", "overlap", "stuck", "untold", "mistold", "groundless")

    def __init__(self):
        self.found = {kind: [] for kind in self.KINDS}
        self.occurrences = self.starts = self.extra_explained = self.overlap_explained = self.skipped_explained = 0
        self.late_explained = 0
        self.delays = []

    def add(self, kind, **what):
        self.found[kind].append(what)

    @property
    def clean(self):
        return not any(self.found.values())

    def counts(self):
        delays = sorted(self.delays)
        told = {kind: len(found) for kind, found in self.found.items()}
        return {"occurrences": self.occurrences, "starts": self.starts, **told, "extra_explained": self.extra_explained,
                "overlap_explained": self.overlap_explained, "skipped_explained": self.skipped_explained,
                "late_explained": self.late_explained,
                **({"delay_p50_ms": round(delays[len(delays) // 2], 1), "delay_p99_ms": round(delays[len(delays) * 99 // 100], 1),
                    "delay_max_ms": round(delays[-1], 1)} if delays else {})}

    def examples(self, most=5):
        return {kind: found[:most] for kind, found in self.found.items() if found}

    def text(self):
        return f"{self.counts()}\n" + "\n".join(f"{kind}: {one}" for kind, some in self.examples().items() for one in some)


def deadline(scheduled, faults, window):
    """When an occurrence must have started at the latest. Faults come in order of their begin.

    The loss of an owner opens a window, in which somebody else must have done all that was due. When the next owner is
    lost within it, that opens another one.
    """
    last = scheduled + HEALTHY_MS
    for fault in faults:
        if fault.begin > last:
            break
        last = max(last, fault.begin + window if fault.owner_lost else fault.until + BACK_MS)
    return last


def check(jobs, starts, begin, end, window, faults=(), skipped=frozenset(), skew=0):
    """Judges all occurrences in [begin, end). window: how late a start may be after the loss of its owner, in ms.

    skipped holds (job, instant) that the scheduler says it left out because a run of that job was in the way; only for
    exclusive jobs, and only where the target saw such a run. skew: how far the clocks of nodes may be from the target's.
    """
    verdict = Verdict()
    verdict.starts = len(starts)
    faults = sorted(faults, key=lambda fault: fault.begin)
    known = {job.id: job for job in jobs}
    by_occurrence, by_job = collections.defaultdict(list), collections.defaultdict(list)
    for start in starts:
        if start.job not in known or not known[start.job].has(start.scheduled):
            verdict.add("phantom", start=start)
            continue
        by_occurrence[start.job, start.scheduled].append(start)
        by_job[start.job].append(start)
    for job in jobs:
        windows = {t: (t - skew - EARLY_MS, deadline(t, faults, window) + skew) for t in job.expected(begin, end)}
        for scheduled, (early, last) in windows.items():
            verdict.occurrences += 1
            check_occurrence(verdict, job, scheduled, by_occurrence.get((job.id, scheduled), []), by_job[job.id], early, last,
                             window, skipped)
        match_by_time(verdict, job, [s.at for s in by_job[job.id]], windows, skipped)
        if job.exclusive:
            check_overlap(verdict, by_job[job.id], faults)
    for (job, scheduled), some in by_occurrence.items():
        check_extra(verdict, job, scheduled, some, faults)
    return verdict


def check_occurrence(verdict, job, scheduled, starts, of_job, early, last, window, skipped):
    if not starts:
        in_the_way = any(s.at - HEALTHY_MS <= last and scheduled - window <= s.end for s in of_job)
        if job.exclusive and (job.id, scheduled) in skipped and in_the_way:
            verdict.skipped_explained += 1
        else:
            verdict.add("lost", job=job.id, scheduled=scheduled)
        return
    at = starts[0].at
    verdict.delays.append(at - scheduled)
    if at > last:
        verdict.add("late", job=job.id, scheduled=scheduled, delay_ms=round(at - scheduled), allowed_ms=round(last - scheduled))
    elif at > scheduled + window:
        verdict.late_explained += 1
    if at < early:
        verdict.add("early", job=job.id, scheduled=scheduled, delay_ms=round(at - scheduled, 1))


def match_by_time(verdict, job, arrivals, windows, skipped):
    """The same without believing what the calls say of themselves: each occurrence needs a start of its own in its window.

    A later occurrence never has an earlier window, so giving each one, in order, the first start that is left over is the
    best matching there is.
    """
    at = 0
    for scheduled, (early, last) in windows.items():
        at = bisect.bisect_left(arrivals, early, at)
        if at < len(arrivals) and arrivals[at] <= last:
            at += 1
        elif (job.id, scheduled) not in skipped:
            verdict.add("unmatched", job=job.id, scheduled=scheduled)


def cause_of(faults, lost, after):
    """The first fault that can have taken the owner of `lost` away before `after` began, or None.

    The lost attempt was alive at the fault (its result takes a moment to be written down), and only an owner that was
    frozen or cut off may still act later, for a moment after it can go on.
    """
    for fault in faults:
        last_act = fault.until + WAKE_MS if fault.kind in ("stop", "cut") else fault.begin + RECORD_MS
        if fault.owner_lost and fault.begin <= after.at and lost.end + RECORD_MS >= fault.begin and lost.at <= last_act:
            return fault
    return None


def check_extra(verdict, job, scheduled, starts, faults):
    """More than one start of an occurrence: only as a next attempt, each after the loss of an owner of its own."""
    in_order, left = sorted(starts, key=lambda s: s.attempt), list(faults)
    attempts = [s.attempt for s in in_order]
    wrong = len({s.key for s in starts}) > 1 or len(set(attempts)) < len(attempts)
    for lost, after in zip(in_order, in_order[1:]):
        cause = cause_of(left, lost, after)
        if wrong or cause is None:
            near = [tuple(f) for f in faults if abs(f.begin - after.at) < 120_000]
            verdict.add("extra", job=job, scheduled=scheduled, starts=[tuple(s) for s in in_order], faults=near)
            return
        left.remove(cause)
    verdict.extra_explained += len(starts) - 1


def check_overlap(verdict, starts, faults):
    """Two live runs of an exclusive job."""
    for one, next_one in zip(starts, starts[1:]):
        if next_one.at >= one.end:
            continue
        if cause_of(faults, one, next_one) or cause_of(faults, next_one, one):
            verdict.overlap_explained += 1
        else:
            verdict.add("overlap", runs=[tuple(one), tuple(next_one)])


def compare(verdict, runs, starts, now, faults=(), stuck_ms=60000):
    """Asks whether the scheduler's own runs tell what the target saw. runs: of all jobs, as the API answers them."""
    by_id = {run["id"]: run for run in runs}
    for start in starts:
        run = by_id.get(start.run)
        if run is None:
            verdict.add("untold", start=start)
        elif (run["jobId"], run["attempt"], run["runKey"], instant_ms(run["scheduledTime"])) != (
                start.job, start.attempt, start.key, start.scheduled):
            verdict.add("mistold", start=start, run=run)
    called = {start.run for start in starts}
    for run in runs:
        if run["status"] not in FINAL and now - instant_ms(run["scheduledTime"]) > stuck_ms:
            verdict.add("stuck", run=run)
        elif run["status"] == "LOST" and not grounded(run, run["id"] in called, faults):
            verdict.add("groundless", run=run, why="it is told to be lost, and nothing had happened to its node")
        elif run["status"] == "SUCCEEDED" and run["id"] not in called:
            verdict.add("mistold", run=run, why="it is told to have succeeded and never reached the target")
    attempts = collections.defaultdict(list)
    for run in runs:
        attempts[run["runKey"]].append(run)
    for key, some in attempts.items():
        some.sort(key=lambda run: run["attempt"])
        # These jobs are never retried, so a second attempt can only follow a lost one.
        if [run["attempt"] for run in some] != list(range(1, len(some) + 1)) or any(
                run["status"] != "LOST" for run in some[:-1]):
            verdict.add("mistold", runs=some, why="attempts with gaps, or after one that was not lost")


def grounded(run, reached, faults):
    """Whether a fault explains that a run is told to be lost: its node was gone, or could not even read what to do."""
    ended = instant_ms(run["endTime"])
    if run["errorClass"] == "LOAD_FAILED":
        return not reached and any(f.kind in ("database", "cut") and f.begin <= ended <= f.until + BACK_MS for f in faults)
    return any(f.owner_lost and f.node in (None, run["workerId"]) and f.begin <= ended for f in faults)


def skipped_of(runs):
    """(job, instant) of what the scheduler left out because a run was in the way."""
    return {(run["jobId"], instant_ms(run["scheduledTime"])) for run in runs if run["status"] == "SKIPPED"}
