# SPDX-License-Identifier: Apache-2.0
"""Objects of others over all verbs: the same answer, in the same time, as objects that do not exist. CHRONOS_ROUNDS scales
the number of identifiers; the whole proof asks for 10,000."""
import os
import random
import re
import statistics
import time

from test_accounts import MANUAL, as_, job, made

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ROUNDS = float(os.environ.get("CHRONOS_ROUNDS", "0.04"))
IDS = max(int(10000 * ROUNDS), 200)
CALLS = [("GET", "/jobs/{}", None), ("PUT", "/jobs/{}", {"name": "x", "type": "DUMMY", "payload": {}, "schedule": MANUAL}),
         ("PATCH", "/jobs/{}", {"name": "x"}), ("DELETE", "/jobs/{}", None), ("POST", "/jobs/{}:pause", None),
         ("POST", "/jobs/{}:run-now", None), ("GET", "/jobs/{}/runs", None), ("GET", "/runs/{}", None),
         ("POST", "/runs/{}:cancel", None), ("POST", "/runs/{}:retry", None), ("GET", "/teams/{}", None),
         ("GET", "/teams/{}/members", None), ("DELETE", "/api-keys/{}", None)]


def absent():
    return "01" + "".join(random.choice(ALPHABET) for _ in range(24))


def shape(answer, identifier):
    """The answer without what names the request."""
    body = answer.body.decode() if isinstance(answer.body, bytes) else str(answer.body)
    body = body.replace(identifier, "ID")
    return answer.status, re.sub(r'"traceId":"[^"]*"', "", body)


def test_foreign_identifiers_answer_as_absent_ones(server):
    _, adas = made(server, "ada@example.com")
    _, bobs = made(server, "bob@example.com")
    hers = [job(server, adas, f"hers{i}")["id"] for i in range(10)]
    runs = [as_(server, adas, "POST", f"/jobs/{i}:run-now").json["id"] for i in hers]
    team = server.call("POST", "/teams", {"name": "hers"}).json["id"]
    key = as_(server, adas, "POST", "/api-keys", {"name": "hers", "scopes": ["*"]}).json["id"]
    versions = [as_(server, adas, "GET", f"/jobs/{i}").json["version"] for i in hers]
    foreign = {"jobs": hers, "runs": runs, "teams": [team], "api-keys": [key]}
    times = {True: [], False: []}
    for i in range(IDS):
        method, path, body = CALLS[i % len(CALLS)]
        theirs = foreign[path.split("/")[1]]
        pair = {}
        for mine, identifier in ((False, theirs[i % len(theirs)]), (True, absent())):
            begin = time.monotonic()
            answer = as_(server, bobs, method, path.format(identifier), body)
            times[mine].append(time.monotonic() - begin)
            pair[mine] = shape(answer, identifier)
        assert pair[False] == pair[True] and pair[False][0] == 404, (method, path, pair)
    foreign_time, absent_time = statistics.median(times[False]), statistics.median(times[True])
    assert abs(foreign_time - absent_time) < 0.5 * max(foreign_time, absent_time) + 0.002
    assert [as_(server, adas, "GET", f"/jobs/{i}").json["version"] for i in hers] == versions
    for path in ("/jobs", "/runs", "/dlq", "/api-keys", "/teams"):
        assert as_(server, bobs, "GET", path).json["totalElements"] == 0, path


def test_what_the_server_sets_is_not_taken_from_a_body(server):
    ada, adas = made(server, "ada@example.com")
    bob, _ = made(server, "bob@example.com")
    mine = job(server, adas, "mine")
    base = {"name": "mine", "type": "DUMMY", "payload": {}, "schedule": MANUAL}
    for member, value in (("ownerId", bob), ("createdAt", "2001-01-01T00:00:00Z"), ("version", 99), ("attempt", 7),
                          ("token", 1), ("role", "ADMIN"), ("runCount", 5), ("id", absent())):
        for method, path in (("POST", "/jobs"), ("PUT", f"/jobs/{mine['id']}"), ("PATCH", f"/jobs/{mine['id']}")):
            answer = as_(server, adas, method, path, {**base, member: value})
            assert answer.status in (200, 400), (method, member, answer.body)
            if answer.status == 200:
                assert answer.json.get(member) != value, (method, member)
    now = as_(server, adas, "GET", f"/jobs/{mine['id']}").json
    assert now["ownerId"] == ada and now["createdAt"] == mine["createdAt"]
    registered = server.call("POST", "/auth/register", {"email": "eve@example.com", "password": "a long enough password",
                                                        "roles": ["ADMIN"]}, auth=False)
    assert registered.status == 201 and registered.json["roles"] == ["USER"]
