# SPDX-License-Identifier: Apache-2.0
"""Metrics in both formats and their bounds, health by component, traces in and out, how a job fares.

CHRONOS_ROUNDS=10 asks for 10,000 bad paths and jobs instead of 1,000."""
import os
import pathlib
import re
import secrets
import signal
import time

import pytest
from chronos import ROOT, SLOW, Nginx, Server, wait_until
from observe import Collector, openmetrics, promtool, scrape

ROUNDS = int(os.environ.get("CHRONOS_ROUNDS", "1"))
YEARLY = {"scheduleType": "CRON", "cronExpression": "0 0 1 1 *"}
EVERY_SECOND = {"scheduleType": "INTERVAL", "intervalSeconds": 1}


def dummy(server, name, **more):
    return server.create(**{"name": name, "type": "DUMMY", "payload": {}, "schedule": YEARLY, **more})


def run_now(server, job, headers=None):
    answer = server.call("POST", f"/jobs/{job['id']}:run-now", {}, headers=headers)
    assert answer.status in (200, 201, 202), answer.body
    return answer.json


def ended(server, run_id):
    def look():
        run = server.call("GET", f"/runs/{run_id}").json
        return run if run["status"] not in ("QUEUED", "RUNNING") else None
    return wait_until(look, what="the end of the run")


def test_both_formats_are_what_they_claim(server):
    ended(server, run_now(server, dummy(server, "one"))["id"])
    text, kind = scrape(server)
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    families = openmetrics(text)
    assert families["chronos_runs"][0] == "counter" and families["chronos_build"][0] == "info"
    assert families["chronos_runs"][1]["chronos_runs_total", (("type", "DUMMY"), ("outcome", "SUCCEEDED"))] == 1
    assert families["chronos_run_duration_seconds"][1]["chronos_run_duration_seconds_count", (("type", "DUMMY"),)] == 1
    assert "chronos_created" not in text
    for accept in ("text/plain", "*/*", "text/plain;version=0.0.4,application/openmetrics-text;q=0.5"):
        plain, kind = scrape(server, accept)
        assert kind.startswith("text/plain; version=0.0.4") and "# EOF" not in plain
    checked = promtool("check", "metrics", stdin=plain)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_reference_describes_every_metric(server):
    text, _ = scrape(server)
    documented = set(re.findall(r"^\| `([a-z_]+)", (ROOT / "docs/reference/metrics.md").read_text(), re.M))
    there = set(re.findall(r"^# TYPE (\S+)", scrape(server, "text/plain")[0], re.M))
    assert there - documented == set(), "describe these in docs/reference/metrics.md"
    source = "".join(p.read_text() for p in (ROOT / "src").rglob("*.c") if not p.name.endswith("_test.c"))
    known = set(re.findall(r'"((?:chronos|process)_[a-z_]+)"', source))
    assert documented - known == set(), "these are described and exist nowhere"


def test_nothing_from_outside_makes_a_series(server):
    n = 1000 * ROUNDS
    server.call("GET", "/nothing/here", base="")
    server.call("GET", "/jobs/none")
    server.call("POST", "/jobs", {"name": "x", "type": "NO", "payload": {}})
    server.create_many([{"name": "first", "type": "DUMMY", "payload": {}, "schedule": YEARLY}])
    before = set(openmetrics(scrape(server)[0]))
    lines = len(scrape(server)[0].splitlines())
    for i in range(n // 4):
        server.call("GET", f"/{secrets.token_hex(8)}", base="", auth=False)
        server.call("GET", f"/jobs/{secrets.token_hex(13)}")
        server.call("POST", "/jobs", {"name": "x", "type": secrets.token_hex(4), "payload": {}})
    server.create_many([{"name": f"job-{i}", "type": "DUMMY", "payload": {}, "schedule": YEARLY} for i in range(n)])
    text = scrape(server)[0]
    assert set(openmetrics(text)) == before
    assert len(text.splitlines()) <= lines + 3 * 20, "only the routes' own classes of status may be new"
    assert "job-1" not in text


def test_jobs_have_series_when_asked_for(tmp_path):
    server = Server(tmp_path / "server", CHRONOS_METRICS_JOBS="3").start()
    try:
        server.login()
        first = dummy(server, 'a "quoted" \\ name', schedule=EVERY_SECOND)
        for i in range(5):
            dummy(server, f"later-{i}", schedule=EVERY_SECOND)

        def series():
            found = openmetrics(scrape(server)[0])
            return found.get("chronos_job_last_success_timestamp_seconds") and found
        families = wait_until(series, 40, "a success in the series of jobs")
        labels = [dict(l) for (_, l) in families["chronos_job_next_fire_timestamp_seconds"][1]]
        assert len(labels) == 3 and {"job": 'a \\"quoted\\" \\\\ name', "id": first["id"]} in labels
    finally:
        server.stop()


def test_health_tells_strangers_only_what_is_up(server):
    stranger = server.call("GET", "/actuator/health", base="", auth=False)
    assert stranger.status == 200 and stranger.json["status"] in ("UP", "DEGRADED")
    assert {"store", "scheduler", "disk", "outbox", "notifications"} <= set(stranger.json["components"])
    assert all(set(c) == {"status"} for c in stranger.json["components"].values())
    known = server.call("GET", "/actuator/health", base="")
    assert known.json["components"]["store"]["details"]["latencyMs"] >= 0
    assert known.json["components"]["scheduler"]["details"]["lastTickAgeMs"] < 5000
    assert known.json["components"]["notifications"]["details"] == {"waiting": 0, "lateSeconds": 0}
    assert known.json["ageMs"] < 5000
    for path in ("/livez", "/actuator/health/liveness", "/readyz", "/actuator/health/readiness"):
        assert server.call("GET", path, base="", auth=False).status == 200
    info = server.call("GET", "/actuator/info", base="").json
    assert info["profile"] == "development" and "HTTP" in info["jobTypes"] and info["store"] == "sqlite" and info["features"]
    assert server.call("GET", "/actuator/info", base="", auth=False).status == 401


def test_totals_come_from_counters(server):
    ended(server, run_now(server, dummy(server, "one"))["id"])
    stats = server.call("GET", "/actuator/job-stats", base="").json
    assert stats["byType"]["DUMMY"]["SUCCEEDED"] == 1 == stats["byStatus"]["SUCCEEDED"]


def test_readiness_ends_before_the_server_does(tmp_path):
    target = Nginx(tmp_path / "nginx", answers="return 204;").start()
    server = Server(tmp_path / "server").start()
    try:
        server.login()
        slow = server.create(name="slow", type="SCRIPT", schedule=YEARLY, payload={"script": "sleep 3", "interpreter": "sh"})
        run_now(server, slow)
        wait_until(lambda: server.runs(slow["id"], status="RUNNING"), what="a run")
        server.process.terminate()
        answer = wait_until(lambda: (a := server.call("GET", "/readyz", base="", auth=False)).status == 503 and a,
                            what="the end of readiness")
        assert answer.json["status"] == "OUT_OF_SERVICE"
        assert server.call("GET", "/livez", base="", auth=False).status == 200
        assert server.process.wait(40) == 0
    finally:
        server.stop()
        target.stop()


@pytest.fixture
def traced(tmp_path):
    collector = Collector()
    server = Server(tmp_path / "server", CHRONOS_OTEL_ENDPOINT=collector.url, CHRONOS_OTEL_HEADERS="x-key=s3cret").start()
    server.login()
    yield server, collector
    server.stop()
    collector.close()


def attributes(span):
    return {a["key"]: next(iter(a["value"].values())) for a in span["attributes"]}


def span_of(collector, run_id):
    return wait_until(lambda: next((s for s in collector.spans() if attributes(s)["chronos.run.id"] == run_id), None), 20,
                      "the span of the run")


def test_a_request_is_the_parent_of_the_run_it_starts(traced):
    server, collector = traced
    trace, parent = secrets.token_hex(16), secrets.token_hex(8)
    job = dummy(server, "traced")
    run = run_now(server, job, {"traceparent": f"00-{trace}-{parent}-01", "tracestate": "a=b"})
    span = span_of(collector, run["id"])
    assert span["traceId"] == trace and span["parentSpanId"] == parent and span["traceState"] == "a=b"
    assert re.fullmatch(r"[0-9a-f]{16}", span["spanId"]) and span["kind"] == 1 and span["status"] == {"code": 1}
    assert int(span["endTimeUnixNano"]) >= int(span["startTimeUnixNano"]) > 10**18
    told = attributes(span)
    assert told["chronos.job.name"] == "traced" and told["chronos.job.type"] == "DUMMY"
    assert told["chronos.run.outcome"] == "SUCCEEDED" and told["chronos.run.attempt"] == "1"
    path, headers, body, _ = collector.requests[0]
    assert path == "/v1/traces" and headers["Content-Type"] == "application/json" and headers["x-key"] == "s3cret"
    resource = {a["key"]: a["value"]["stringValue"] for a in body["resourceSpans"][0]["resource"]["attributes"]}
    assert resource["service.name"] == "chronos" and resource["service.instance.id"]
    assert "s3cret" not in server.log_text()


def test_what_is_no_trace_is_ignored_and_what_is_not_sampled_is_not_sent(traced):
    server, collector = traced
    job = dummy(server, "traced")
    quiet = run_now(server, job, {"traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"})
    bad = run_now(server, job, {"traceparent": f"00-{'A' * 32}-{secrets.token_hex(8)}-01"})
    span = span_of(collector, bad["id"])
    assert "parentSpanId" not in span and span["traceId"] != "a" * 32
    ended(server, quiet["id"])
    last = run_now(server, job)
    span_of(collector, last["id"])
    assert quiet["id"] not in [attributes(s)["chronos.run.id"] for s in collector.spans()]


def test_targets_and_retries_stay_in_the_trace(tmp_path, traced):
    server, collector = traced
    target = Nginx(tmp_path / "nginx", answers="return 503;")
    target.log_format = "$msec $request_uri $http_traceparent $http_tracestate"
    target.start()
    try:
        trace, parent = secrets.token_hex(16), secrets.token_hex(8)
        job = server.create(name="calls", type="HTTP", schedule=YEARLY, payload={"httpUrl": target.url},
                            retryPolicy={"maxAttempts": 2, "backoffStrategy": "FIXED", "backoffSeconds": 1})
        run_now(server, job, {"traceparent": f"00-{trace}-{parent}-01", "tracestate": "a=b"})
        spans = wait_until(lambda: (s := collector.spans()) and len(s) == 2 and s, what="spans of both attempts")
        assert {s["traceId"] for s in spans} == {trace} and {s["parentSpanId"] for s in spans} == {parent}
        assert all(s["status"]["code"] == 2 and attributes(s)["error.type"] == "HTTP_5XX" for s in spans)
        calls = [line.split(" ") for line in (target.folder / "access.log").read_text().splitlines()]
        assert [c[2].split("-")[1] for c in calls] == [trace] * 2 and {c[3] for c in calls} == {"a=b"}
        assert {c[2].split("-")[2] for c in calls} == {s["spanId"] for s in spans}
    finally:
        target.stop()


def test_a_collector_that_is_away_loses_nothing_at_once(tmp_path):
    collector = Collector(answers=[503, 429])
    server = Server(tmp_path / "server", CHRONOS_OTEL_ENDPOINT=collector.url + "/v1/traces").start()
    try:
        server.login()
        run = run_now(server, dummy(server, "one"))
        span_of(collector, run["id"])
        assert [status for *_, status in collector.requests] == [503, 429, 200]
        assert server.log_text().count("spans cannot be sent") == 1 and "spans are sent again" in server.log_text()
        text = scrape(server, "text/plain")[0]
        assert "\nchronos_spans_exported_total 1\n" in text and 'dropped_total{reason="failed"} 0' in text
    finally:
        server.stop()
        collector.close()


def test_bad_settings_of_spans_are_named(tmp_path):
    for name, value, said in (("CHRONOS_OTEL_SAMPLERATIO", "2", "otel.sampleRatio"), ("CHRONOS_OTEL_HEADERS", "s3cret", "otel.headers"),
                              ("CHRONOS_OTEL_ENDPOINT", "ftp://x", "otel.endpoint")):
        server = Server(tmp_path / name, **{"CHRONOS_OTEL_ENDPOINT": "http://127.0.0.1:1", name: value}).start(wait=False)
        assert server.process.wait(20) != 0
        assert said in server.log_text() and "s3cret" not in server.log_text()


def test_how_a_job_fares(server):
    job = dummy(server, "steady", schedule=EVERY_SECOND)
    wait_until(lambda: len(server.runs(job["id"], status="SUCCEEDED")) >= 3, what="three runs")
    stats = server.call("GET", f"/jobs/{job['id']}/stats?last=50").json
    assert stats["runs"] >= 3 and stats["successRate"] == 1.0 and stats["expectedIntervalMs"] == 1000
    assert stats["drift"] == [] and stats["overdueMs"] < 1000 and abs(stats["actualIntervalMs"] - 1000) < 900
    assert "expectedIntervalMs" in server.cli("job", "stats", "steady", "-o", "json", check=0).stdout
    assert "interval expected" in server.cli("job", "stats", "steady", check=0).stdout
    assert server.call("GET", f"/jobs/{job['id']}/stats?last=201").status == 400
    assert server.call("GET", "/jobs/01KA3V5J8M2C0000000000000X/stats").status == 404


def processes_of(pid):
    """A server and what it started."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid] + [p for child in children for p in processes_of(int(child))]


def test_a_store_that_hangs_delays_no_health(tmp_path):
    import postgres
    with postgres.Server() as database:
        server = Server(tmp_path / "server", CHRONOS_DB_URL=database.url()).start()
        stopped = processes_of(database.process.pid)

        def ask(path):
            begun = time.monotonic()
            answer = server.call("GET", path, base="", auth=False)
            assert time.monotonic() - begun < 2 * SLOW, path
            return answer
        try:
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            down = wait_until(lambda: (a := ask("/actuator/health")).status == 503 and a, 30, "the end of health")
            assert down.json["components"]["store"]["status"] == "DOWN" and down.json["ageMs"] > 0
            assert ask("/livez").status == 200 and ask("/readyz").status == 503
            assert ask("/metrics").status == 200
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        try:
            wait_until(lambda: ask("/readyz").status == 200, 60, "health again")
        finally:
            server.stop()
