# SPDX-License-Identifier: Apache-2.0
"""Limits of callers, addresses and owners: 429 with a time to come back, and others that notice nothing (S16)."""
import http.client
import json

import edge
import pytest
from chronos import Server

MANUAL = {"scheduleType": "MANUAL"}
FLOOR_S = 0.025  # below this a ratio tells of the machine and not of the server
WORSE_MAX = 2


def started(tmp_path, **settings):
    server = Server(tmp_path / "server", **settings).start()
    server.login()
    return server


def check_refusal(answer, policy):
    assert answer.status == 429, answer.body
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["RateLimit-Policy"].startswith(f'"{policy}";q=')
    assert ";r=0;" in answer.headers["RateLimit"]
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["code"] == "THROTTLED"


def test_a_caller_has_a_bound_of_his_own(tmp_path):
    server = started(tmp_path, CHRONOS_LIMITS_REQUESTSPERSECOND="1", CHRONOS_LIMITS_BURST="15")
    other = edge.user(server, "other@example.com")
    answers = [server.call("GET", "/auth/me") for _ in range(25)]
    assert [a.status for a in answers[:10]] == [200] * 10
    check_refusal(answers[-1], "caller")
    assert edge.as_user(server, other, "GET", "/auth/me").status == 200
    assert server.call("GET", "/livez", base="", auth=False).status == 200  # of the address, which has its own
    server.stop()


def test_an_address_without_a_sign_in_has_one_too(tmp_path):
    server = started(tmp_path, CHRONOS_LIMITS_ANONYMOUSPERSECOND="2")
    bad = {"Authorization": "Bearer nonsense"}
    answers = [server.call("GET", "/auth/me", auth=False, headers=bad) for _ in range(12)]
    assert answers[-1].status == 429
    check_refusal(answers[-1], "address")
    assert server.call("GET", "/auth/me").status == 200
    server.stop()


def test_an_owner_has_so_many_jobs(tmp_path):
    server = started(tmp_path, CHRONOS_LIMITS_JOBSPEROWNER="5")
    jobs = [server.create(name=f"job {i}", type="DUMMY", schedule=MANUAL) for i in range(5)]
    refused = server.call("POST", "/jobs", {"name": "one more", "type": "DUMMY", "schedule": MANUAL})
    assert refused.status == 429 and "limits.jobsPerOwner" in refused.json["detail"]
    many = {"jobs": [{"name": f"b{i}", "type": "DUMMY", "schedule": MANUAL} for i in range(2)]}
    assert server.call("POST", "/jobs:batch", many).status == 429
    other = edge.user(server, "other@example.com")
    assert edge.as_user(server, other, "POST", "/jobs", many["jobs"][0]).status == 201
    assert server.call("DELETE", f"/jobs/{jobs[0]['id']}").status == 204
    server.create(name="in its place", type="DUMMY", schedule=MANUAL)
    server.stop()


def test_an_owner_starts_so_many_runs(tmp_path):
    server = started(tmp_path, CHRONOS_LIMITS_RUNSPERSECOND="1")
    job = server.create(name="job", type="DUMMY", schedule=MANUAL)
    answers = [server.call("POST", f"/jobs/{job['id']}:run-now") for _ in range(8)]
    assert answers[0].status == 202
    refused = [a for a in answers if a.status != 202]
    assert refused and all(a.status == 429 for a in refused) and refused[0].headers["Retry-After"]
    server.stop()


@pytest.mark.parametrize("profile", ["staging", "production"])
def test_defaults_bound_everybody_outside_development(tmp_path, profile):
    server = started(tmp_path, CHRONOS_PROFILE=profile)
    assert '"caller";q=2000' in server.call("GET", "/auth/me").headers["RateLimit-Policy"]
    server.stop()


def test_a_flood_of_one_is_not_felt_by_others(tmp_path):
    """S16."""
    server = started(tmp_path, CHRONOS_LIMITS_REQUESTSPERSECOND="5", CHRONOS_LIMITS_BURST="10")
    token, counts = edge.user(server, "tenant@example.com"), {}

    def flood():
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        body = json.dumps({"name": "flood", "type": "DUMMY", "schedule": MANUAL})
        for _ in range(20):
            connection.request("POST", "/api/v1/jobs", body,
                               {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            counts[answer.status] = counts.get(answer.status, 0) + 1
        connection.close()

    asking = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)

    def ask():
        asking.request("GET", "/livez")
        assert asking.getresponse().read()

    seconds = 2 * edge.ROUNDS
    rest = edge.quantile(edge.latencies(ask, seconds), 0.99)
    with edge.Crowd(2, flood):
        busy = edge.quantile(edge.latencies(ask, seconds), 0.99)
    print(f"p99 at rest {rest * 1000:.2f} ms, under a flood {busy * 1000:.2f} ms; answers to the flood {counts}")
    assert counts.get(429, 0) > 0, counts
    assert set(counts) <= {201, 429}
    assert busy <= max(WORSE_MAX * rest, FLOOR_S)
    server.stop()
