# SPDX-License-Identifier: Apache-2.0
"""Accounts, API keys, teams and throttling through the real binary."""
import statistics
import time

from chronos import wait_until

MANUAL = {"scheduleType": "MANUAL"}
PASSWORD = "a long enough password"
OTHER = "quite another password"


def as_(server, token, method, path, body=None):
    return server.call(method, path, body, auth=False, headers={"Authorization": f"Bearer {token}"})


def made(server, email, roles=("USER",), password=PASSWORD):
    answer = server.call("POST", "/users", {"email": email, "password": password, "roles": list(roles)})
    assert answer.status == 201, answer.body
    signed = server.call("POST", "/auth/login", {"email": email, "password": password}, auth=False)
    assert signed.status == 200, signed.body
    return answer.json["id"], signed.json["accessToken"]


def job(server, token, name, **more):
    answer = as_(server, token, "POST", "/jobs", {"name": name, "type": "DUMMY", "payload": {}, "schedule": MANUAL, **more})
    assert answer.status == 201, answer.body
    return answer.json


def test_an_administrator_makes_changes_and_ends_accounts(server):
    ada, token = made(server, "ada@example.com")
    assert as_(server, token, "GET", "/users").status == 403
    listed = server.call("GET", "/users?email=ada&role=USER&enabled=true").json
    assert [u["email"] for u in listed["content"]] == ["ada@example.com"]
    assert "passwordHash" not in listed["content"][0]
    assert server.call("PATCH", f"/users/{ada}", {"enabled": False}).json["enabled"] is False
    assert as_(server, token, "GET", "/jobs").status == 401  # at once
    assert server.call("PATCH", f"/users/{ada}", {"enabled": True, "roles": ["VIEWER"]}).status == 200
    token = server.call("POST", "/auth/login", {"email": "ada@example.com", "password": PASSWORD}, auth=False).json["accessToken"]
    assert as_(server, token, "POST", "/jobs", {}).status == 403
    me = server.call("GET", "/auth/me").json["id"]
    for body in ({"enabled": False}, {"roles": ["USER"]}):
        assert server.call("PATCH", f"/users/{me}", body).status == 409
    assert server.call("DELETE", f"/users/{me}").status == 409
    assert server.call("PATCH", f"/users/{ada}", {"createdAt": "2020-01-01T00:00:00Z"}).status == 400
    assert server.call("DELETE", f"/users/{ada}").status == 204
    assert server.call("GET", f"/users/{ada}").status == 404


def test_who_owns_jobs_is_deleted_only_when_somebody_gets_them(server):
    ada, token = made(server, "ada@example.com")
    bob, bobs = made(server, "bob@example.com")
    hers = job(server, token, "hers")
    refused = server.call("DELETE", f"/users/{ada}")
    assert refused.status == 409 and "transferTo" in refused.json["detail"]
    assert server.call("DELETE", f"/users/{ada}?transferTo={bob}").status == 204
    now = as_(server, bobs, "GET", f"/jobs/{hers['id']}")
    assert now.status == 200 and now.json["ownerId"] == bob


def test_a_one_time_password_is_changed_at_the_next_sign_in(server):
    answer = server.call("POST", "/users", {"email": "ada@example.com"})
    assert answer.status == 201 and answer.json["mustChangePassword"] is True
    once = {"email": "ada@example.com", "password": answer.json["oneTimePassword"]}
    refused = server.call("POST", "/auth/login", once, auth=False)
    assert refused.status == 403 and refused.json["errors"][0]["pointer"] == "/newPassword"
    assert server.call("POST", "/auth/login", {**once, "newPassword": once["password"]}, auth=False).status == 400
    assert server.call("POST", "/auth/login", {**once, "newPassword": PASSWORD}, auth=False).status == 200
    assert server.call("POST", "/auth/login", once, auth=False).status == 401
    token = server.call("POST", "/auth/login", {**once, "password": PASSWORD}, auth=False).json["accessToken"]
    reset = server.call("POST", f"/users/{answer.json['id']}:reset-password")
    assert reset.status == 200 and reset.json["oneTimePassword"]
    assert as_(server, token, "GET", "/auth/me").status == 401


def test_common_and_own_passwords_are_refused(server):
    for password in ("short", "password1234", "Password1234", "ada@example.com", "qwertyuiop123"):
        answer = server.call("POST", "/users", {"email": "ada@example.com", "password": password})
        assert answer.status == 400, password
        assert answer.json["errors"][0]["pointer"] == "/password"


def test_a_key_does_what_its_scopes_say_and_no_more(server):
    ada, token = made(server, "ada@example.com")
    mine = job(server, token, "mine")
    key = as_(server, token, "POST", "/api-keys", {"name": "reader", "scopes": ["job.read"]})
    assert key.status == 201 and key.json["token"].startswith("chr_")
    reader = key.json["token"]
    assert as_(server, reader, "GET", f"/jobs/{mine['id']}").status == 200
    assert as_(server, reader, "POST", f"/jobs/{mine['id']}:run-now").status == 403
    assert as_(server, reader, "GET", "/auth/me").json["email"] == "ada@example.com"
    everything = as_(server, token, "POST", "/api-keys", {"name": "all", "scopes": ["*"]}).json["token"]
    assert as_(server, everything, "POST", f"/jobs/{mine['id']}:run-now").status == 202
    for method, path, body in (("POST", "/api-keys", {"name": "x", "scopes": ["*"]}), ("GET", "/users", None),
                               ("PUT", "/auth/password", {"currentPassword": PASSWORD, "newPassword": OTHER})):
        assert as_(server, everything, method, path, body).status == 403, path
    narrow = as_(server, token, "POST", "/api-keys", {"name": "n", "scopes": ["api-key.write", "job.read"]}).json["token"]
    assert as_(server, narrow, "POST", "/api-keys", {"name": "x", "scopes": ["job.run"]}).status == 403
    assert as_(server, narrow, "POST", "/api-keys", {"name": "x", "scopes": ["job.read"]}).status == 201
    listed = as_(server, token, "GET", "/api-keys").json["content"]
    assert all("token" not in k and "hash" not in k for k in listed)
    wait_until(lambda: any(k.get("lastUsedAt") for k in as_(server, token, "GET", "/api-keys").json["content"]),
               what="the last use")
    assert as_(server, token, "DELETE", f"/api-keys/{key.json['id']}").status == 204
    assert as_(server, reader, "GET", "/auth/me").status == 401  # at once
    assert server.call("PATCH", f"/users/{ada}", {"enabled": False}).status == 200
    assert as_(server, everything, "GET", "/auth/me").status == 401
    for body in ({"name": "x", "scopes": ["job.fly"]}, {"name": "x", "scopes": []}, {"name": "x"},
                 {"name": "x", "scopes": ["*"], "ownerId": ada}, {"name": "x", "scopes": ["*"], "token": "chr_x"},
                 {"name": "x", "scopes": ["*"], "expiresAt": "2001-01-01T00:00:00Z"}):
        assert server.call("POST", "/api-keys", body).status == 400, body


def test_a_team_owns_jobs_and_secrets_together(server):
    ada, adas = made(server, "ada@example.com")
    bob, bobs = made(server, "bob@example.com")
    team = server.call("POST", "/teams", {"name": "billing"}).json["id"]
    assert as_(server, adas, "POST", "/teams", {"name": "mine"}).status == 403
    assert server.call("POST", "/teams", {"name": "billing"}).status == 409
    assert server.call("PUT", f"/teams/{team}/members/{ada}", {"role": "MANAGER"}).status == 200
    assert as_(server, bobs, "POST", "/jobs", {"name": "x", "type": "DUMMY", "payload": {}, "schedule": MANUAL,
                                               "teamId": team}).status == 400
    ours = job(server, adas, "ours", teamId=team)
    assert ours["ownerId"] == team and ours["teamId"] == team
    for method, path in (("GET", f"/jobs/{ours['id']}"), ("GET", f"/teams/{team}"), ("POST", f"/jobs/{ours['id']}:run-now")):
        assert as_(server, bobs, method, path).status == 404
    assert as_(server, bobs, "GET", "/jobs").json["totalElements"] == 0
    assert as_(server, adas, "PUT", f"/teams/{team}/members/{bob}").status == 200
    assert as_(server, bobs, "GET", f"/jobs/{ours['id']}").status == 200
    run = as_(server, bobs, "POST", f"/jobs/{ours['id']}:run-now")
    assert run.status == 202
    assert [j["id"] for j in as_(server, bobs, "GET", "/jobs").json["content"]] == [ours["id"]]
    assert as_(server, bobs, "GET", "/runs").json["totalElements"] >= 1
    assert as_(server, bobs, "PUT", f"/teams/{team}/members/{bob}", {"role": "MANAGER"}).status == 403
    assert as_(server, bobs, "PUT", "/secrets/OURS", {"value": "hunter22", "teamId": team}).status == 200
    assert [s["name"] for s in as_(server, adas, "GET", f"/secrets?teamId={team}").json["content"]] == ["OURS"]
    http = {"name": "call", "type": "HTTP", "schedule": MANUAL,
            "payload": {"httpUrl": "http://127.0.0.1:1/{{secret.OURS}}"}}
    assert as_(server, adas, "POST", "/jobs", {**http, "teamId": team}).status == 201
    assert as_(server, adas, "POST", "/jobs", http).status == 400  # her own jobs have no such secret
    assert server.call("DELETE", f"/teams/{team}").status == 409
    assert as_(server, adas, "DELETE", f"/teams/{team}/members/{bob}").status == 204
    assert as_(server, bobs, "GET", f"/jobs/{ours['id']}").status == 404  # at once
    assert as_(server, bobs, "GET", "/jobs").json["totalElements"] == 0
    assert server.call("DELETE", f"/teams/{team}?transferTo={ada}").status == 204
    back = as_(server, adas, "GET", f"/jobs/{ours['id']}").json
    assert back["ownerId"] == ada and "teamId" not in back


def test_tries_are_bounded_for_the_account_and_nobody_else(server):
    made(server, "ada@example.com")
    made(server, "bob@example.com")
    seen = [server.call("POST", "/auth/login", {"email": "ada@example.com", "password": "wrong"}, auth=False)
            for _ in range(15)]
    assert [a.status for a in seen].count(401) == 10
    assert seen[-1].status == 429 and int(seen[-1].headers["Retry-After"]) > 0
    ghost = [server.call("POST", "/auth/login", {"email": "ghost@example.com", "password": "wrong"}, auth=False)
             for _ in range(15)]
    assert [a.status for a in ghost] == [a.status for a in seen]
    strip = [{k: v for k, v in a.json.items() if k not in ("traceId", "instance")} for a in (seen[0], ghost[0])]
    assert strip[0] == strip[1]
    assert server.call("POST", "/auth/login", {"email": "bob@example.com", "password": PASSWORD}, auth=False).status == 200


def test_unknown_accounts_take_as_long_as_wrong_passwords(server):
    times = {True: [], False: []}
    for i in range(8):
        made(server, f"user{i}@example.com")
    for i in range(32):
        for known in (True, False):
            email = f"user{i % 8}@example.com" if known else f"nobody{i % 8}@example.com"
            begin = time.monotonic()
            assert server.call("POST", "/auth/login", {"email": email, "password": "wrong"}, auth=False).status == 401
            times[known].append(time.monotonic() - begin)
    known, unknown = (statistics.median(times[k]) for k in (True, False))
    assert abs(known - unknown) < 0.25 * max(known, unknown), (known, unknown)


def test_the_command_line_does_it_all(server, tmp_path):
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    server.cli("user", "create", "ada@example.com", "--password-file", str(secret), check=0)
    assert "ada@example.com" in server.cli("user", "list", check=0).stdout
    server.cli("team", "create", "billing", check=0)
    server.cli("team", "add", "billing", "ada@example.com", "--manager", check=0)
    assert "MANAGER" in server.cli("team", "members", "billing", check=0).stdout
    key = server.cli("apikey", "create", "deploy", "--scope", "job.read", "--days", "3", check=0).stdout.strip()
    assert key.startswith("chr_") and as_(server, key, "GET", "/jobs").status == 200
    server.cli("user", "disable", "ada@example.com", check=0)
    assert "false" in server.cli("user", "get", "ada@example.com", check=0).stdout
    assert "one-time password" in server.cli("user", "reset-password", "ada@example.com", check=0).stdout
    server.cli("user", "delete", "ada@example.com", check=0)
