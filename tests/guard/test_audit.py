# SPDX-License-Identifier: Apache-2.0
"""The audit trail through the real binary: one record for each event, whatever it holds; and copies of its data that were
tampered with, whose place verify names."""
import json
import shutil
import sqlite3
import subprocess

from chronos import BINARY, EMAIL, wait_until

CANARY = "canary-4711-never-shown"
HOSTILE = "a\u2028b\u001b[31m\"},{\"x\":\""


def records(server, query=""):
    """All of them, oldest first, once everything is sealed."""
    def sealed():
        rows = server.call("GET", "/audit?size=200&sort=id,asc" + query).json["content"]
        return rows if rows and all(row["seq"] for row in rows) else None
    return wait_until(sealed, what="the trail to be sealed")


def verify(server, folder=None):
    env = dict(server.environment())
    if folder:
        env["CHRONOS_DATA_DIR"] = str(folder)
    done = subprocess.run([BINARY, "audit", "verify"], env=env, capture_output=True, text=True, timeout=60,
                          check=False)
    return done.returncode, done.stdout + done.stderr


def test_each_use_case_leaves_one_record(server):
    job = server.create(name=HOSTILE, type="DUMMY", schedule={"scheduleType": "MANUAL"})
    path = "/jobs/" + job["id"]
    server.call("PATCH", path, {"priority": "HIGH"}, headers={"Content-Type": "application/merge-patch+json"})
    server.call("POST", path + ":pause")
    server.call("POST", path + ":resume")
    server.call("DELETE", path)
    assert server.call("POST", "/auth/login", {"email": "nobody@example.org", "password": CANARY}, auth=False).status == 401
    for _ in range(20):
        server.call("GET", "/jobs", auth=False)

    mine = records(server, "&entityType=job&entityId=" + job["id"])
    assert [row["action"] for row in mine] == ["job.create", "job.update", "job.pause", "job.resume", "job.delete"]
    assert all(row["entityName"] == HOSTILE and row["outcome"] == "DONE" and row["way"] == "TOKEN" for row in mine)
    assert mine[1]["changes"] == {"priority": {"before": "MEDIUM", "after": "HIGH"}}
    refused = wait_until(lambda: records(server, "&outcome=REFUSED&action=request.refuse"), what="the refusals")
    assert len(refused) <= 4 and "more from this address" in json.dumps(refused)
    assert len(records(server, "&outcome=REFUSED&action=session.login")) == 1
    everything = json.dumps(records(server))
    assert CANARY not in everything
    assert server.call("GET", "/audit:verify").json["intact"] is True


def test_only_who_may_reads_it(server):
    assert server.call("GET", "/audit", auth=False).status == 401


def test_a_tampered_copy_is_found_out(server, tmp_path):
    for i in range(3):
        server.create(name="j%d" % i, type="DUMMY", schedule={"scheduleType": "MANUAL"})
    last = records(server)[-1]["seq"]
    server.stop()
    code, text = verify(server)
    assert code == 0 and "intact" in text, text
    source = server.folder / "data"
    cases = [
        ("UPDATE audit SET actor = 'b@example.org' WHERE seq = 2", "record 2 was changed"),
        ("UPDATE audit SET at = at + 1 WHERE seq = 1", "record 1 was changed"),
        ("DELETE FROM audit WHERE seq = 2", "record 2 is missing"),
        ("DELETE FROM audit WHERE seq = %d" % last, "the tail was cut off: the head says"),
        ("UPDATE audit_marks SET seq = 1 WHERE kind = 0", "the head is forged"),
        ("DELETE FROM audit; DELETE FROM audit_marks", "a checkpoint outside of the store says"),
    ]
    for number, (statement, expected) in enumerate(cases):
        copy = tmp_path / ("copy%d" % number)
        shutil.copytree(source, copy)
        with sqlite3.connect(next(copy.glob("*.db"))) as db:
            db.executescript(statement)
        db.close()
        code, text = verify(server, copy)
        assert code == 1 and expected in text, (statement, text)


def test_what_is_done_beside_a_server_is_recorded(server, tmp_path):
    server.stop()
    secret = tmp_path / "password"
    secret.write_text("another correct horse " + CANARY)
    for command in (["reset-password", EMAIL, "--password-file", str(secret)], ["forget-secrets"]):
        subprocess.run([BINARY, "admin", *command], env=server.environment(), check=True, timeout=60,
                       capture_output=True)
    server.start()
    answer = server.call("POST", "/auth/login", {"email": EMAIL, "password": secret.read_text()}, auth=False)
    server.token = answer.json["accessToken"]
    told = records(server, "&actor=system")
    done = [(row["action"], row["way"], row["outcome"]) for row in told if row.get("way") == "CLI"]
    assert done[-2:] == [("user.password", "CLI", "DONE"), ("secret.forget", "CLI", "DONE")], told
    assert CANARY not in json.dumps(told)
    assert server.call("GET", "/audit:verify").json["intact"] is True
