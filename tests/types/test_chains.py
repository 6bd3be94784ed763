# SPDX-License-Identifier: Apache-2.0
"""Jobs started by the end of others, and dead letters replayed with edits, through the real binary."""
import json

import pytest

from attempts import attempt, end, names
from chronos import Nginx, Server, wait_until


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("chains")).start()
    made.login()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    made = Nginx(tmp_path_factory.mktemp("target"), "if ($request_uri ~ bad) { return 503; } return 200 'all well';").start()
    yield made
    made.stop()


def listener(server, script):
    return server.create(name=f"listener-{next(names)}", type="SCRIPT", schedule={"scheduleType": "MANUAL"},
                         payload={"script": script})


def only_run(server, job):
    run = wait_until(lambda: server.runs(job["id"]), what="the started run")[0]
    return end(server, run["id"])


def letter(server, job_id):
    return wait_until(lambda: server.call("GET", f"/dlq?resolved=false&jobId={job_id}").json["content"],
                      what="a dead letter")[0]


def test_what_a_script_prints_reaches_the_next_job(server):
    last = listener(server, "echo \"got $CHRONOS_PARAM_TEXT\"")
    middle = server.create(name=f"middle-{next(names)}", type="SCRIPT", schedule={"scheduleType": "MANUAL"},
                           payload={"script": "echo \"$CHRONOS_PARAM_N+1\""},
                           onSuccess=[{"job": last["id"], "parameters": {"text": "{{run.output}}, {{param.n}}"}}])
    first = attempt(server, "SCRIPT", {"script": "echo 41; echo noise >&2"},
                    onSuccess=[{"job": middle["id"], "parameters": {"n": "{{run.output}}"}}])
    second, third = only_run(server, middle), only_run(server, last)
    assert [r["status"] for r in (first, second, third)] == ["SUCCEEDED"] * 3
    assert second["trigger"] == third["trigger"] == "CHAIN"
    assert second["parameters"]["n"] == "41"
    assert second["parameters"]["cause"].pop("traceparent").startswith("00-")
    assert second["parameters"]["cause"] == {"runId": first["id"], "jobId": first["jobId"], "status": "SUCCEEDED",
                                             "scheduledTime": first["scheduledTime"], "depth": 1}
    assert third["parameters"]["cause"]["depth"] == 2 and third["scheduledTime"] == first["scheduledTime"]
    assert "got 41+1, 41" in [line["message"] for line in third["lines"]]


def test_the_body_of_an_answer_and_the_last_failure(server, target):
    told, alarm = listener(server, "echo $CHRONOS_PARAM_BODY"), listener(server, "echo $CHRONOS_PARAM_WHY")
    links = {"onSuccess": [{"job": told["id"], "parameters": {"body": "{{run.output}} ({{run.exitCode}})"}}],
             "onFailure": [{"job": alarm["id"], "parameters": {"why": "{{run.errorClass}} {{run.attempt}}"}}]}
    attempt(server, "HTTP", {"httpUrl": target.url + "/good"}, **links)
    assert only_run(server, told)["parameters"]["body"] == "all well (200)"
    attempt(server, "HTTP", {"httpUrl": target.url + "/bad"}, retryPolicy={"maxAttempts": 2, "backoffSeconds": 0}, **links)
    assert only_run(server, alarm)["parameters"]["why"] == "HTTP_5XX 2"
    assert len(server.runs(told["id"])) == 1


def test_a_deleted_target_holds_nothing_up(server):
    gone = listener(server, "true")
    job = server.create(name=f"alone-{next(names)}", type="DUMMY", schedule={"scheduleType": "MANUAL"},
                        onSuccess=[{"job": gone["id"]}])
    assert server.call("DELETE", f"/jobs/{gone['id']}").status == 204
    started = server.call("POST", f"/jobs/{job['id']}:run-now").json
    assert end(server, started["id"])["status"] == "SUCCEEDED"
    wait_until(lambda: gone["id"] in server.log_text() and "was deleted, it is left out" in server.log_text(),
               what="a word in the server's log")


def test_rings_are_refused(server):
    one = listener(server, "true")
    two = server.create(name="two", type="DUMMY", schedule={"scheduleType": "MANUAL"}, onFailure=[{"job": one["id"]}])
    answer = server.call("PATCH", f"/jobs/{one['id']}", {"onSuccess": [{"job": two["id"]}]})
    assert answer.status == 400
    assert answer.json["errors"] == [{"pointer": "/onSuccess/0/job",
                                      "detail": f"leads back to this job: \"two\" → \"{one['name']}\""}]


def test_a_dead_letter_runs_as_it_was_or_with_edits(server, target):
    failed = attempt(server, "HTTP", {"httpUrl": target.url + "/bad/{{param.day}}"}, {"day": "monday"},
                     retryPolicy={"maxAttempts": 1})
    job = failed["jobId"]
    answer = server.call("PATCH", f"/jobs/{job}", {"payload": {"httpUrl": target.url + "/v2"}})
    assert answer.status == 200, answer.body

    first = letter(server, job)
    again = server.call("POST", f"/dlq/{first['id']}:replay")
    assert again.status == 202, again.body
    assert end(server, again.json["id"])["errorClass"] == "HTTP_5XX"  # it ran what was recorded
    assert [c[1] for c in target.calls()][-1] == "/bad/monday"

    second = letter(server, job)  # of the replay
    text = json.dumps({"httpUrl": target.url + "/fine/{{param.day}}", "httpMethod": "POST"})
    out = server.cli("dlq", "replay", second["id"], "--payload", "-", "--param", "day=friday", stdin=text, check=0).stdout
    fixed = end(server, out.split()[-1])
    assert fixed["status"] == "SUCCEEDED" and fixed["parameters"]["day"] == "friday"
    assert [c[1] for c in target.calls()][-1] == "/fine/friday"
    assert server.call("GET", f"/jobs/{job}").json["payload"]["httpUrl"] == target.url + "/v2"

    bad = server.call("POST", f"/dlq/{second['id']}:replay")
    assert bad.status == 409


def test_many_dead_letters_at_once(server, target):
    failed = [attempt(server, "HTTP", {"httpUrl": target.url + "/bad"}, retryPolicy={"maxAttempts": 1}) for _ in range(2)]
    job = failed[0]["jobId"]
    letter(server, job)
    assert server.call("POST", "/dlq:replay-all", {"jobId": job, "expect": 2}).status == 409
    answer = server.call("POST", "/dlq:replay-all", {"jobId": job, "expect": 1, "errorClass": "HTTP_5XX"})
    assert answer.json == {"matched": 1, "replayed": 1, "failed": 0, "more": False}
