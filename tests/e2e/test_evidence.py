# SPDX-License-Identifier: Apache-2.0
"""The judge itself: it must find every kind of wrong, and excuse only what a lost owner explains."""
from evidence import Fault, Job, Start, check, compare, instant_ms, read_log

WINDOW = 45000
KILL = Fault("kill", 10_000, 12_000, "n2", True)
RESTART = Fault("database", 10_000, 12_000, None, False)


def start(job, scheduled, late=5, attempt=1, took=1, key=None):
    at = scheduled + late
    return Start(at, at + took, 204, "127.0.0.1", job, scheduled, attempt, key or f"{job}-{scheduled}", f"{job}-{scheduled}-{attempt}")


def grid(job="a", step=1000, end=20_000):
    return [start(job, t) for t in range(0, end, step)]


def judge(starts, faults=(), job=None, **more):
    starts = sorted(starts, key=lambda s: s.at)
    return check([job or Job("a", 0, 1000)], starts, 0, 20_000, WINDOW, faults, **more)


def kinds(verdict):
    return {kind for kind, found in verdict.found.items() if found}


def test_all_in_time_is_clean():
    verdict = judge(grid())
    assert verdict.clean and verdict.occurrences == 20 and verdict.counts()["delay_max_ms"] == 5


def test_a_missing_start_is_lost_twice_over():
    verdict = judge(grid()[:7] + grid()[8:])
    assert kinds(verdict) == {"lost", "unmatched"}
    assert verdict.found["lost"][0]["scheduled"] == 7000


def test_calls_that_misname_their_instant_do_not_hide_a_loss():
    starts = grid()
    starts[7] = start("a", 6000, late=3, attempt=2, key="a-6000")
    assert kinds(judge(starts, [KILL])) == {"extra", "lost", "unmatched"}


def test_lateness_is_excused_by_a_fault_only():
    late = grid()[:10] + [start("a", 10_000, late=20_000)] + grid()[11:]
    assert kinds(judge(late)) == {"late", "unmatched"}
    assert judge(late, [KILL]).clean
    assert kinds(judge(late, [RESTART])) == {"late", "unmatched"}
    too_late = grid()[:10] + [start("a", 10_000, late=46_000)] + grid()[11:]
    assert "late" in kinds(judge(too_late, [KILL]))
    assert judge(too_late, [KILL, KILL._replace(begin=50_000, until=51_000)]).late_explained == 1
    assert "late" in kinds(judge(too_late, [KILL, KILL._replace(begin=60_000, until=61_000)]))


def test_early_and_unknown_starts_are_found():
    assert kinds(judge(grid()[1:] + [start("a", 0, late=-10)])) >= {"early"}
    assert kinds(judge(grid() + [start("a", 500)])) == {"phantom"}
    assert kinds(judge(grid() + [start("b", 1000)])) == {"phantom"}


def test_a_second_start_needs_a_next_attempt_and_a_lost_owner():
    again = start("a", 9000, late=9000, attempt=2)
    assert judge(grid() + [again], [KILL]).extra_explained == 1
    assert kinds(judge(grid() + [again])) == {"extra"}
    assert kinds(judge(grid() + [start("a", 15_000, late=2000, attempt=2)], [KILL])) == {"extra"}
    assert kinds(judge(grid() + [again], [RESTART])) == {"extra"}
    assert kinds(judge(grid() + [start("a", 9000, late=9000)], [KILL])) == {"extra"}
    assert kinds(judge(grid() + [again, start("a", 9000, late=9500, attempt=3)], [KILL])) == {"extra"}
    assert kinds(judge(grid() + [start("a", 9000, late=9000, attempt=2, key="other")], [KILL])) == {"extra"}


def test_a_frozen_owner_may_act_only_soon_after_it_wakes():
    frozen = Fault("stop", 9_000, 70_000, "n1", True)
    rest = [s for s in grid() if s.scheduled != 9000]
    taken = start("a", 9000, late=40_000, attempt=2)
    assert judge(rest + [taken, start("a", 9000, late=62_000)], [frozen]).extra_explained == 1
    assert "extra" in kinds(judge(rest + [taken, start("a", 9000, late=70_000)], [frozen]))


def test_live_runs_of_an_exclusive_job_do_not_overlap():
    job = Job("a", 0, 10_000, exclusive=True)
    long = [start("a", 0, took=12_000), start("a", 10_000)]
    assert kinds(judge(long, job=job)) == {"overlap"}
    assert judge(long, [KILL], job=job).overlap_explained == 1
    left_out = [start("a", 0, took=12_000)]
    assert kinds(judge(left_out, job=job)) == {"lost", "unmatched"}
    assert judge(left_out, job=job, skipped={("a", 10_000)}).clean


def run(one, **more):
    return {"id": one.run, "jobId": one.job, "attempt": one.attempt, "runKey": one.key, "status": "SUCCEEDED",
            "scheduledTime": f"1970-01-01T00:00:{one.scheduled // 1000:02d}.000Z", **more}


def test_the_schedulers_own_story_must_agree():
    starts = grid()
    runs = [run(one) for one in starts]

    def compared(runs, starts=starts, faults=()):
        verdict = judge(grid())
        compare(verdict, runs, starts, 200_000, faults)
        return kinds(verdict)
    assert compared(runs) == set()
    assert compared(runs[1:]) == {"untold"}
    assert compared(runs, starts[1:]) == {"mistold"}
    assert compared([run(starts[0], attempt=2)] + runs[1:]) == {"mistold"}
    assert compared([run(starts[0], status="RUNNING")] + runs[1:]) == {"stuck"}
    again = start("a", 3000, attempt=2)
    assert compared(runs + [run(again)], starts + [again]) == {"mistold"}
    lost = run(starts[3], status="LOST", workerId="n2", errorClass="LOST", endTime="1970-01-01T00:00:15.000Z")
    rest = runs[:3] + [lost] + runs[4:] + [run(again)]
    assert compared(rest, starts + [again]) == {"groundless"}
    assert compared(rest, starts + [again], [KILL]) == set()
    assert compared(rest, starts + [again], [KILL._replace(node="n1")]) == {"groundless"}
    unread = runs[:3] + [{**lost, "errorClass": "LOAD_FAILED"}] + runs[4:] + [run(again)]
    assert compared(unread, starts[:3] + starts[4:] + [again], [RESTART]) == set()
    assert compared(unread, starts + [again], [RESTART]) == {"groundless"}


def test_log_lines_become_starts():
    text = "1700000000.250 0.200 204 10.0.0.2 JOB 2023-11-14T22:13:20.000Z 2 KEY RUN\n1.0 0.0 400 ::1 - - - - -\n"
    one, = read_log(text)
    assert one.scheduled == 1_700_000_000_000 == instant_ms("2023-11-14T22:13:20.000Z")
    assert (round(one.at - one.scheduled), round(one.end - one.scheduled), one.attempt, one.run) == (50, 250, 2, "RUN")
