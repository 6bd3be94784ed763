# SPDX-License-Identifier: Apache-2.0
"""Channels of notifications against real receivers: HTTP, SMTP, an Alertmanager, the official webhook library."""
import base64
import email
import email.policy
import hashlib
import hmac
import json
import os
import pathlib
import re
import shutil
import subprocess
import time

import alertmanager
import base
import pytest
import smtp
from receiver import Receiver

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CHRONOS_BINARY", ROOT / "build/test/chronos")).parent
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(b"\xaa" * 24).decode()
# The private key of RFC 8032 §7.1, test 1, and its public half.
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")


class Tool:
    def __init__(self):
        self.process = subprocess.Popen([BUILD / "tests/notify/channel_tool"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def __call__(self, channel, config, **more):
        self.process.stdin.write(json.dumps({"channel": channel, "config": config, **more}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(30) == 0


@pytest.fixture(scope="module")
def tell():
    tool = Tool()
    yield tool
    tool.close()


@pytest.fixture
def receiver():
    with Receiver() as made:
        yield made


def signatures(headers):
    """version → list of raw signatures"""
    found = {}
    for one in headers["webhook-signature"].split(" "):
        version, value = one.split(",", 1)
        found.setdefault(version, []).append(base64.b64decode(value, validate=True))
    return found


def accepted(secret, headers, body, now=None):
    """The published recipe: recompute, compare in constant time, refuse what is older than five minutes."""
    stamp = headers["webhook-timestamp"]
    if abs((now or time.time()) - int(stamp)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    want = hmac.new(key, f"{headers['webhook-id']}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return any(hmac.compare_digest(want, given) for given in signatures(headers).get("v1", []))


# ---- WEBHOOK ----

def test_webhooks_are_signed_after_the_recipe(tell, receiver):
    config = {"url": receiver.url("/hook?x=1"), "secrets": [SECRET, OTHER], "headers": {"X-Team": "finance"}}
    result = tell("WEBHOOK", config, id="msg_1", jobName="nightly \"x\" 日本")
    assert result["verdict"] == "SENT" and result["code"] == 200, result
    headers, body = receiver.last()
    assert headers["webhook-id"] == "msg_1" and headers["x-team"] == "finance"
    assert headers["content-type"] == "application/json"
    assert accepted(SECRET, headers, body) and accepted(OTHER, headers, body)
    assert not accepted("whsec_" + base64.b64encode(b"b" * 32).decode(), headers, body)
    assert not accepted(SECRET, headers, body + b" ")
    assert not accepted(SECRET, {**headers, "webhook-id": "msg_2"}, body)
    assert not accepted(SECRET, headers, body, now=time.time() + 600)
    message = json.loads(body)
    assert message["type"] == "run.failed" and set(message) == {"type", "timestamp", "data"}
    assert message["data"]["job"]["name"] == "nightly \"x\" 日本"
    assert message["data"]["run"]["errorClass"] == "SCRIPT_ERROR"
    assert len(body) <= 20 * 1024


def test_ed25519_signs_beside_the_secret(tell, receiver):
    config = {"url": receiver.url(), "secrets": [SECRET], "ed25519Key": "whsk_" + base64.b64encode(SEED + PUBLIC).decode()}
    assert tell("WEBHOOK", config)["verdict"] == "SENT"
    headers, body = receiver.last()
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    (signature,) = signatures(headers)["v1a"]
    script = ("const c=require('crypto');const i=JSON.parse(require('fs').readFileSync(0,'utf8'));"
              "const k=c.createPublicKey({key:Buffer.from('302a300506032b6570032100'+i.key,'hex'),format:'der',type:'spki'});"
              "process.stdout.write(String(c.verify(null,Buffer.from(i.content,'hex'),k,Buffer.from(i.signature,'hex'))))")
    if not shutil.which("node"):
        pytest.skip("node is not installed: the ed25519 signature was not checked")
    given = json.dumps({"key": PUBLIC.hex(), "content": content.hex(), "signature": signature.hex()})
    assert subprocess.run(["node", "-e", script], input=given, capture_output=True, text=True, timeout=60).stdout == "true"


def test_the_official_library_accepts_our_signatures(tell, receiver):
    if not shutil.which("npm"):
        pytest.skip("npm is not installed: the official library did not judge; the recipe above did")
    folder = BUILD / "npm"
    if not (folder / "node_modules/standardwebhooks").exists():
        folder.mkdir(exist_ok=True)
        done = subprocess.run(["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--silent", "standardwebhooks@1"],
                              capture_output=True, text=True, timeout=180)
        if done.returncode:
            pytest.skip(f"npm cannot be reached, the official library did not judge: {done.stderr[-200:]}")

    def verify(secret, headers, body):
        given = json.dumps({"secret": secret, "headers": headers, "body": body.decode()})
        done = subprocess.run(["node", ROOT / "tests/guard/verify_webhook.js"], input=given, capture_output=True, text=True,
                              timeout=60, env={**os.environ, "NODE_PATH": str(folder / "node_modules")})
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    for form, kind in (("standard", "run.failed"), ("cloudevents", "io.chronos.run.failed.v1")):
        assert tell("WEBHOOK", {"url": receiver.url(), "secrets": [OTHER, SECRET], "format": form})["verdict"] == "SENT"
        headers, body = receiver.last()
        assert verify(SECRET, headers, body) == {"type": kind}
        assert verify(OTHER, headers, body) == {"type": kind}
        assert "refused" in verify(SECRET, headers, body[:-1] + b" }")
        assert "refused" in verify(SECRET, {**headers, "webhook-timestamp": "1700000000"}, body)


def test_cloudevents_are_structured_and_signed_alike(tell, receiver):
    assert tell("WEBHOOK", {"url": receiver.url(), "secrets": [SECRET], "format": "cloudevents"}, id="msg_7")["verdict"] == "SENT"
    headers, body = receiver.last()
    assert headers["content-type"].startswith("application/cloudevents+json") and accepted(SECRET, headers, body)
    event = json.loads(body)
    assert event["specversion"] == "1.0" and event["id"] == "msg_7" == headers["webhook-id"]
    assert event["type"] == "io.chronos.run.failed.v1" and event["source"] == "/chronos/main"
    assert event["subject"].startswith("job/nightly-export/run/") and event["datacontenttype"] == "application/json"


# ---- answers ----

def test_answers_decide_what_happens_next(tell, receiver):
    receiver.answers = {
        "/moved": (302, {"Location": receiver.url("/elsewhere")}, b""), "/gone": (410, {}, b""),
        "/busy": (429, {"Retry-After": "120"}, b"slow down"), "/down": (503, {"Retry-After": "7"}, b"<html>no</html>"),
        "/bad": (400, {}, b"invalid_payload"), "/big": (200, {}, b"x" * 2_000_000),
        "/T0/SECRETPART": (403, {}, b"token SECRETPART is not known"),
    }

    def result(path, **more):
        return tell("SLACK", {"url": receiver.url(path)}, **more)

    moved = result("/moved")
    assert moved["verdict"] == "REFUSED" and moved["code"] == 302 and "redirect" in moved["sentence"]
    assert not any(path == "/elsewhere" for _, path, _, _ in receiver.requests)
    assert result("/gone")["verdict"] == "GONE"
    assert (result("/busy")["verdict"], result("/busy")["retryAfter"]) == ("AGAIN", 120)
    down = result("/down")
    assert (down["verdict"], down["code"], down["retryAfter"]) == ("AGAIN", 503, 7) and "<html>" not in down["sentence"]
    assert "invalid_payload" in result("/bad")["sentence"] and result("/bad")["verdict"] == "REFUSED"
    assert result("/big")["verdict"] == "SENT"
    assert "SECRETPART" not in result("/T0/SECRETPART")["sentence"]
    denied = result("/", denied=["loopback"])
    assert denied["verdict"] == "REFUSED" and "not allowed by the egress rules" in denied["sentence"]
    closed = tell("SLACK", {"url": f"http://127.0.0.1:{base.free_port()}/T0/SECRETPART"})
    assert closed["verdict"] == "AGAIN" and "SECRETPART" not in closed["sentence"]


def test_keys_are_in_no_sentence_and_no_preview(tell, receiver):
    key = "0123456789abcdef0123456789abcdef"
    receiver.answers["/page"] = (400, {}, json.dumps({"message": f"key {key} unknown"}).encode())
    result = tell("PAGERDUTY", {"routingKey": key, "url": receiver.url("/page")})
    assert result["verdict"] == "REFUSED" and key[:8] not in json.dumps(result)
    assert key not in tell("PAGERDUTY", {"routingKey": key, "url": receiver.url("/page")}, action="render")["message"]
    receiver.answers["/h"] = (401, {}, b"Bearer abcdefghijk is wrong")
    result = tell("HTTP", {"url": receiver.url("/h"), "headers": {"Authorization": "Bearer abcdefghijk"}, "body": "{}"})
    assert result["verdict"] == "REFUSED" and "abcdefgh" not in result["sentence"]


# ---- chats ----

def test_chats_get_their_own_forms(tell, receiver):
    evil = "<!channel> @everyone *x* ``` \x1b[31m\x00 [l](http://evil)"
    assert tell("SLACK", {"url": receiver.url()}, error=evil.replace("\x00", ""))["verdict"] == "SENT"
    slack = receiver.last_json()
    assert slack["blocks"][0]["text"]["type"] == "plain_text" and "<!channel>" not in json.dumps(slack)
    receiver.answers["/teams"] = (202, {}, b"")
    teams = tell("TEAMS", {"url": receiver.url("/teams")})
    assert teams["verdict"] == "SENT" and teams["code"] == 202 and "accepted" in teams["sentence"]
    card = receiver.last_json()["attachments"][0]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive" and card["content"]["type"] == "AdaptiveCard"
    receiver.answers["/discord"] = (204, {}, b"")
    assert tell("DISCORD", {"url": receiver.url("/discord")}, error=evil.replace("\x00", ""))["verdict"] == "SENT"
    discord = receiver.last_json()
    assert discord["allowed_mentions"] == {"parse": []} and discord["embeds"][0]["title"].startswith("FAILED")


def test_templates_are_escaped_for_their_target(tell, receiver):
    more = {"subject": "{{job.name}} is broken", "text": "*Error*: {{run.error}}", "error": "<a> & _b_"}
    want = {"SLACK": "*Error*: &lt;a&gt; &amp; _b_", "TEAMS": "*Error*: \\<a\\> & \\_b\\_",
            "DISCORD": "*Error*: \\<a\\> & \\_b\\_"}
    for channel, text in want.items():
        assert tell(channel, {"url": receiver.url()}, **more)["verdict"] == "SENT"
        _, body = receiver.last()
        assert json.dumps(text)[1:-1] in body.decode(), body
        assert "nightly-export is broken" in body.decode()
    fault = tell("SLACK", {"url": receiver.url()}, text="a\n{{run.eror}}", action="check")["fault"]
    assert fault == "line 2, column 1: there is no \"run.eror\"; did you mean \"run.error\"?"


def test_a_target_of_ones_own(tell, receiver):
    config = {"url": receiver.url("/send/{{idd|default:x}}{{job.name|url}}"), "method": "PUT", "headers": {"X-Key": "k"},
              "body": "{\"topic\":\"jobs\",\"title\":{{title|json}},\"message\":\"{{run.error}}\",\"code\":{{run.exitCode|json}}}"}
    refused = tell("HTTP", config)
    assert "there is no \"idd\"" in refused["fault"]
    config["url"] = receiver.url("/send/{{job.name}}")
    assert tell("HTTP", config, jobName="a/b ü", error="say \"x\"\n")["verdict"] == "SENT"
    method, path, headers, body = receiver.requests[-1]
    assert (method, path, headers["X-Key"]) == ("PUT", "/send/a%2Fb%20%C3%BC", "k")
    assert json.loads(body) == {"topic": "jobs", "title": "FAILED | a/b ü", "message": "say \"x\"\n", "code": 1}
    assert tell("HTTP", {"url": receiver.url("/ping"), "method": "GET"})["verdict"] == "SENT"
    assert receiver.requests[-1][0] == "GET" and receiver.requests[-1][3] == b""


def test_every_name_and_filter_of_the_reference_exists(tell, receiver):
    page = (ROOT / "docs/reference/templates.md").read_text()
    names = re.findall(r"^\| `([\w.]+)` \|", page.split("## Names")[1].split("## Filters")[0], re.M)
    assert len(names) > 30 and "run.error" in names
    for name in names:
        assert tell("SLACK", {"url": receiver.url()}, text=f"{{{{#{name}}}}}x{{{{/{name}}}}}", action="check") == {}, name
    used = {"dur": "run.durationMs|dur", "tz:ZONE": "at|tz:Europe/Berlin"}
    for cell in re.findall(r"^\| (`.*?) \|", page.split("## Filters")[1].split("## Escaping")[0], re.M):
        for written in re.findall(r"`([\w:]+)`", cell):
            place = used.get(written, "run.error|" + written.replace(":N", ":3"))
            assert tell("SLACK", {"url": receiver.url()}, text="{{" + place + "}}", action="check") == {}, written
    example = page.split("```")[1].strip()
    assert tell("SLACK", {"url": receiver.url()}, text=example, action="check") == {}


def test_the_settings_of_the_guide_are_taken(tell):
    page = (ROOT / "docs/how-to/notification-channels.md").read_text()
    seen = 0
    for section in page.split("\n## ")[1:]:
        channel = section.split(":")[0].split("\n")[0].strip()
        for block in re.findall(r"```json\n(.*?)```", section, re.S):
            if channel != "Your own words":
                assert tell(channel, json.loads(block), action="check") == {}, block
                seen += 1
    assert seen >= 8


# ---- PAGERDUTY, ALERTMANAGER ----

def test_pages_are_triggered_and_resolved(tell, receiver):
    config = {"routingKey": "0123456789abcdef0123456789abcdef", "url": receiver.url("/v2/enqueue")}
    receiver.answers["/v2/enqueue"] = (202, {}, b"{\"status\":\"success\"}")
    assert tell("PAGERDUTY", config, event="failed", incident="i-1")["verdict"] == "SENT"
    trigger = receiver.last_json()
    assert tell("PAGERDUTY", config, event="recovered", incident="i-1")["verdict"] == "SENT"
    resolve = receiver.last_json()
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"] == "i-1" and trigger["routing_key"] == config["routingKey"]
    assert trigger["payload"]["severity"] == "error" and trigger["payload"]["source"] == "/chronos/main"
    assert tell("PAGERDUTY", config, event="test")["verdict"] == "SENT"
    assert [json.loads(r[3])["event_action"] for r in receiver.requests[-2:]] == ["trigger", "resolve"]


def test_a_real_alertmanager_takes_and_ends_alerts(tell):
    if not shutil.which("prometheus-alertmanager"):
        pytest.skip("prometheus-alertmanager is not installed; tools/setup.sh installs it")
    with alertmanager.Server() as real:
        config = {"url": real.url() + "/", "labels": {"team": "finance"}}
        evil = {"error": "x" * 1_000_000 + "\"\\\n", "log": "\x1b[31mred\n" * 50_000, "jobName": "größe \"1\""}
        for event in ("failed", "dead", "missed", "slow", "overdue", "digest", "paused", "node_down", "test", "started"):
            result = tell("ALERTMANAGER", config, event=event, **evil)
            assert result["verdict"] == "SENT" and result["code"] == 200, (event, result)
        found = {a["labels"]["alertname"]: a for a in real.alerts()}
        failing = found["ChronosJobFailing"]
        assert failing["labels"] == {"alertname": "ChronosJobFailing", "severity": "critical", "cluster": "main", "team": "finance",
                                     "job": "größe \"1\"", "job_id": failing["labels"]["job_id"]}
        assert failing["endsAt"] > failing["startsAt"] and failing["generatorURL"].startswith("https://")
        assert {"ChronosDeadLetter", "ChronosJobOverdue", "ChronosNodeDown", "ChronosTest"} <= set(found)
        assert tell("ALERTMANAGER", config, event="recovered", jobName=evil["jobName"])["verdict"] == "SENT"
        left = {a["labels"]["alertname"] for a in real.alerts()}
        assert not left & {"ChronosJobFailing", "ChronosDeadLetter", "ChronosJobMissed", "ChronosJobSlow", "ChronosJobOverdue"}


# ---- EMAIL ----

def test_mails_thread_and_say_where_to_end_them(tell):
    with smtp.Server("plain") as post:
        config = {"to": ["Jörg <jm@example.com>", "ann@example.com"], "replyTo": "Ops <ops@example.com>"}
        first = tell("EMAIL", config, id="msg1", incident="inc1", mail=post.url(),
                     jobName="evil\r\nBcc: eve@example.com", error="a <b>\r\n.\r\n", log="line\n" * 100)
        assert first["verdict"] == "SENT", first
        assert tell("EMAIL", config, event="recovered", id="msg2", incident="inc1", mail=post.url())["verdict"] == "SENT"
        (envelope, raw), (_, second) = post.messages()
        assert envelope["to"] == ["jm@example.com", "ann@example.com"] and b"\nBcc" not in raw
        mail = email.message_from_bytes(raw, policy=email.policy.default)
        again = email.message_from_bytes(second, policy=email.policy.default)
        assert mail["Subject"] == "FAILED | evil Bcc: eve@example.com"
        assert again["Subject"] == "RECOVERED | nightly-export"
        assert mail["References"] == again["References"] == mail["In-Reply-To"] and "inc1" in mail["References"]
        assert mail["Message-ID"] == "<msg1@example.com>" and again["Message-ID"] == "<msg2@example.com>"
        assert mail["Auto-Submitted"] == "auto-generated" and mail["Reply-To"] == "ops@example.com"
        assert mail["List-Unsubscribe"] == again["List-Unsubscribe"] == "<mailto:chronos@example.com?subject=unsubscribe>"
        kinds = [part.get_content_type() for part in mail.walk() if not part.is_multipart()]
        assert kinds == ["text/plain", "text/html"] and mail.get_content_type() != "text/html"
        html = mail.get_body(("html",)).get_content()
        assert len(html.encode()) <= 20 * 1024 and "<b>" not in html and "a &lt;b&gt;" in html and "http:" not in html
        assert "a <b>" in mail.get_body(("plain",)).get_content()


def test_a_mail_server_decides_what_happens_next(tell):
    config = {"to": ["nobody@example.com"]}
    assert tell("EMAIL", config)["verdict"] == "AGAIN"  # none is set
    with smtp.Server("plain") as post:
        refused = tell("EMAIL", config, mail=post.url())
        assert refused["verdict"] == "REFUSED" and refused["code"] == 550
        url = post.url()
    assert tell("EMAIL", {"to": ["ann@example.com"]}, mail=url)["verdict"] == "AGAIN"  # it is away
