# SPDX-License-Identifier: Apache-2.0
"""One run of a job, from its payload to its end, for the tests beside this file."""
import itertools

from chronos import wait_until

names = itertools.count(1)
ENDED = {"SUCCEEDED", "FAILED", "TIMED_OUT", "CANCELLED", "LOST"}


def log(server, run):
    """Every line of a run's log."""
    lines, after = [], 0
    while True:
        answer = server.call("GET", f"/jobs/{run['jobId']}/runs/{run['id']}/logs?size=1000&after={after}")
        assert answer.status == 200, answer.body
        page = answer.json["content"]
        if not page:
            return lines
        lines += page
        after = page[-1]["id"]


def begin(server, type_, payload, parameters=None, **job):
    made = server.create(name=f"{type_.lower()}-{next(names)}", type=type_, schedule={"scheduleType": "MANUAL"},
                         payload=payload, **job)
    answer = server.call("POST", f"/jobs/{made['id']}:run-now", {"parameters": parameters} if parameters else {})
    assert answer.status == 202, answer.body
    return answer.json["id"]


def end(server, run_id, seconds=20):
    run = wait_until(lambda: (r := server.call("GET", f"/runs/{run_id}").json)["status"] in ENDED and r,
                     seconds=seconds, what="the end of the run")
    run["lines"] = log(server, run)
    return run


def attempt(server, type_, payload, parameters=None, seconds=20, **job):
    """The run, with its log as `lines`."""
    return end(server, begin(server, type_, payload, parameters, **job), seconds)


def output(run, stream="stdout"):
    return [line["message"] for line in run["lines"] if line["stream"] == stream]


def refused(server, type_, payload):
    """The pointers (with their sentences) for which a job is refused at save."""
    answer = server.call("POST", "/jobs", {"name": "refused", "type": type_, "schedule": {"scheduleType": "MANUAL"},
                                           "payload": payload})
    assert answer.status == 400, (answer.status, answer.body)
    return {e["pointer"]: e["detail"] for e in answer.json["errors"]}
