# SPDX-License-Identifier: Apache-2.0
"""EMAIL against a real SMTP server: what arrives, byte by byte; each way to fail; the end of every wait."""
import email
import email.policy
import os
import time

import pytest

import smtp
from attempts import attempt, begin, end, output, refused
from chronos import SLOW, Server, free_port, wait_until
from silent import Silent

CANCEL_SECONDS = 3  # two for the run, because the wait looks up once a second; the rest for the machine


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    return tmp_path_factory.mktemp("email-files")


@pytest.fixture(scope="module")
def post():
    with smtp.Server("plain") as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory, roots, post):
    made = Server(tmp_path_factory.mktemp("email") / "server", CHRONOS_FILES_ROOTS=str(roots),
                  CHRONOS_MAIL_URL=post.url(), CHRONOS_MAIL_FROM="Chronos Prüfung <chronos@example.com>").start()
    made.login()
    yield made
    made.stop()


def newest(post):
    envelope, raw = post.messages()[-1]
    return envelope, raw, email.message_from_bytes(raw, policy=email.policy.default)


def part(message, kind):
    return next(p for p in message.walk() if p.get_content_type() == kind)


def sent(server, payload, **more):
    run = attempt(server, "EMAIL", payload, **more)
    assert run["status"] == "SUCCEEDED", run
    return run


def test_text_html_and_names_arrive_as_they_were_written(server, post):
    run = sent(server, {"to": ["Jörg Müller <jm@example.com>", "ann@example.com"], "cc": "\"Lee, Bo\" <bo@example.com>",
                        "bcc": ["eve@example.com"], "subject": "Größe 日本 " + "lang " * 30 + "Ende",
                        "text": "Zeile eins\nÄ = ä\n.\nEnde", "html": "<p>Größe</p>"})
    envelope, raw, message = newest(post)
    assert envelope["from"] == "chronos@example.com"
    assert envelope["to"] == ["jm@example.com", "ann@example.com", "bo@example.com", "eve@example.com"]
    assert message["Subject"] == "Größe 日本 " + "lang " * 30 + "Ende"
    assert [(a.display_name, a.addr_spec) for a in message["To"].addresses] == \
        [("Jörg Müller", "jm@example.com"), ("", "ann@example.com")]
    assert [(a.display_name, a.addr_spec) for a in message["Cc"].addresses] == [("Lee, Bo", "bo@example.com")]
    assert [(a.display_name, a.addr_spec) for a in message["From"].addresses] == [("Chronos Prüfung", "chronos@example.com")]
    assert b"eve@" not in raw and message["Bcc"] is None
    assert part(message, "text/plain").get_content().splitlines() == ["Zeile eins", "Ä = ä", ".", "Ende"]
    assert part(message, "text/html").get_content().strip() == "<p>Größe</p>"
    assert part(message, "multipart/alternative")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Chronos-Run-Key"] == run["runKey"]
    assert message["Message-ID"] == f"<{run['runKey']}@example.com>"
    assert abs(message["Date"].datetime.timestamp() - time.time()) < 60 * SLOW
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert any("4 recipients" in line for line in output(run, "system"))


def test_attachments_arrive_byte_by_byte(server, post, roots):
    files = {"größe.bin": os.urandom(700_001), "a b.txt": b"one\r\ntwo\n.\n", "empty.csv": b""}
    for name, content in files.items():
        (roots / name).write_bytes(content)
    sent(server, {"to": "ann@example.com", "subject": "files", "text": "see there",
                  "attachments": ["größe.bin", str(roots / "a b.txt"), "empty.csv"]})
    message = newest(post)[2]
    got = {p.get_filename(): p.get_payload(decode=True) for p in message.iter_attachments()}
    assert got == files
    assert part(message, "text/csv").get_filename() == "empty.csv"


def test_files_outside_the_roots_stay_there(server, post, roots, tmp_path):
    (tmp_path / "secret").write_text("no")
    (roots / "link").unlink(missing_ok=True)
    (roots / "link").symlink_to(tmp_path / "secret")
    count = len(post.messages())
    for path in (str(tmp_path / "secret"), "../secret", "link", "missing", "."):
        run = attempt(server, "EMAIL", {"to": "ann@example.com", "subject": "s", "text": "t", "attachments": [path]})
        assert (run["status"], run["errorClass"]) == ("FAILED", "FILE_ERROR"), run
    assert len(post.messages()) == count


def test_templates_are_filled_and_escaped(server, post):
    folder = server.folder / "data" / "templates"
    folder.mkdir(exist_ok=True)
    (folder / "bill.subject").write_text("Bill {{number}} for {{customer.name}}\n")
    (folder / "bill.txt").write_text("Dear {{customer.name|default:customer}}, {{param.amount}} are due. {{run.id}} {{job.name}}")
    (folder / "bill.html").write_text("<p>{{customer.name}}</p>{{footer|raw}}")
    run = sent(server, {"to": "ann@example.com", "templateName": "bill",
                        "templateData": {"number": 7, "customer": {"name": "A&B <x>"}, "footer": "<hr>"}},
               parameters={"amount": "12 €"})
    message = newest(post)[2]
    assert message["Subject"] == "Bill 7 for A&B <x>"
    text = part(message, "text/plain").get_content()
    assert text.startswith("Dear A&B <x>, 12 € are due. " + run["id"])
    assert part(message, "text/html").get_content().strip() == "<p>A&amp;B &lt;x&gt;</p><hr>"
    run = attempt(server, "EMAIL", {"to": "ann@example.com", "templateName": "bill", "templateData": {"number": 7}})
    assert run["errorClass"] == "DEFINITION_ERROR" and "customer.name" in run["errorMessage"]
    run = attempt(server, "EMAIL", {"to": "ann@example.com", "templateName": "none"})
    assert run["errorClass"] == "DEFINITION_ERROR" and "none.txt" in run["errorMessage"]
    sent(server, {"to": "ann@example.com", "templateName": "job-failed", "templateData": {"jobName": "night"}})
    assert newest(post)[2]["Subject"] == "Job night failed"


@pytest.mark.parametrize("field", ["subject", "to"])
def test_parameters_cannot_add_headers(server, post, field):
    count = len(post.messages())
    payload = {"to": "ann@example.com", "subject": "s", "text": "t", field: "{{param.x}}"}
    for evil in ("a@example.com\r\nBcc: eve@example.com", "a@example.com\nX: y", "a@example.com>\r\nRCPT TO:<eve@example.com"):
        run = attempt(server, "EMAIL", payload, parameters={"x": evil})
        assert (run["status"], run["errorClass"]) == ("FAILED", "DEFINITION_ERROR"), run
    assert len(post.messages()) == count


def test_bad_payloads_are_refused_at_save_with_every_fault(server):
    faults = refused(server, "EMAIL", {"to": ["ann", "x@y.z\r\nBcc: e@f.g"], "cc": "bo@", "subject": "a\nb", "text": "t",
                                       "attachments": [""], "templateData": {},
                                       "smtpConfig": {"url": "http://x", "from": "nobody"}})
    assert {"/payload/to/0", "/payload/to/1", "/payload/cc/0", "/payload/subject", "/payload/attachments/0",
            "/payload/smtpConfig/url", "/payload/smtpConfig/from"} <= set(faults), faults
    faults = refused(server, "EMAIL", {})
    assert {"/payload/to", "/payload/text", "/payload/subject"} <= set(faults), faults
    assert "/payload/templateName" in refused(server, "EMAIL", {"to": "a@b.c", "templateName": "../x"})
    assert "/payload/templateName" in refused(server, "EMAIL", {"to": "a@b.c", "subject": "s", "text": "t",
                                                                "templateName": "plain"})


def config(made, **more):
    return {"to": "ann@example.com", "subject": "s", "text": "t", "smtpConfig": {"url": made.url(), **more}}


@pytest.mark.parametrize("mode", ["starttls", "smtps", "auth"])
def test_tls_and_sign_in(server, mode):
    with smtp.Server(mode) as made:
        own = {"user": smtp.USER, "password": smtp.PASSWORD} if mode == "auth" else {}
        sent(server, config(made, **own))
        envelope = made.messages()[-1][0]
        assert envelope["tls"] and envelope["signed_in"] == (mode == "auth")
        payload = config(made, **own)
        payload["smtpConfig"]["url"] = f"{'smtps' if mode == 'smtps' else 'smtp'}://localhost:{made.port}"
        run = attempt(server, "EMAIL", payload)
        assert (run["status"], run["errorClass"]) == ("FAILED", "CONNECTION_ERROR") and "TLS" in run["errorMessage"], run
        assert len(made.messages()) == 1
        if mode != "auth":
            return
        wrong = config(made, user=smtp.USER, password="wrong canary 4712")
        run = attempt(server, "EMAIL", wrong)
        assert (run["status"], run["errorClass"]) == ("FAILED", "EMAIL_ERROR") and "535" in run["errorMessage"], run
        run = attempt(server, "EMAIL", config(made))
        assert run["errorClass"] == "EMAIL_ERROR" and "530" in run["errorMessage"], run
        for canary in (smtp.PASSWORD, "wrong canary 4712"):
            assert canary not in server.log_text() and canary not in str(run)


def test_a_password_never_travels_in_the_open(server, post):
    run = attempt(server, "EMAIL", config(post, user="u", password="p"))
    assert run["errorClass"] == "CONNECTION_ERROR" and "TLS" in run["errorMessage"], run


def test_refusals_are_told_apart(server, post):
    run = attempt(server, "EMAIL", {"to": ["ann@example.com", "nobody@example.com"], "subject": "s", "text": "t"})
    assert run["errorClass"] == "EMAIL_ERROR" and "nobody@example.com" in run["errorMessage"] and "550" in run["errorMessage"]
    run = attempt(server, "EMAIL", {"to": "ann@example.com", "subject": "s", "text": "refuse-me"})
    assert run["errorClass"] == "EMAIL_ERROR" and "554" in run["errorMessage"] and "message" in run["errorMessage"]


def test_servers_that_are_not_there(server):
    down = {"to": "ann@example.com", "subject": "s", "text": "t", "smtpConfig": {"url": f"smtp://127.0.0.1:{free_port()}"}}
    run = attempt(server, "EMAIL", down)
    assert (run["status"], run["errorClass"]) == ("FAILED", "CONNECTION_ERROR"), run
    with smtp.Server("closing") as made:
        run = attempt(server, "EMAIL", config(made))
        assert (run["status"], run["errorClass"]) == ("FAILED", "CONNECTION_ERROR"), run


def test_waits_end_by_time_and_by_cancel(server):
    with Silent() as silent:
        payload = {"to": "ann@example.com", "subject": "s", "text": "t",
                   "smtpConfig": {"url": f"smtp://127.0.0.1:{silent.port}"}}
        run = attempt(server, "EMAIL", payload, timeoutSeconds=1)
        assert (run["status"], run["errorClass"]) == ("TIMED_OUT", "TIMEOUT"), run
    with smtp.Server("slow") as made:
        run_id = begin(server, "EMAIL", config(made))
        wait_until(made.conversations, what="the message")
        asked = time.monotonic()
        assert server.call("POST", f"/runs/{run_id}:cancel").status in (200, 202)
        run = end(server, run_id)
        assert run["status"] == "CANCELLED", run
        assert time.monotonic() - asked < CANCEL_SECONDS * SLOW


def test_egress_rules_hold_for_mail(tmp_path, post):
    made = Server(tmp_path / "server", CHRONOS_MAIL_URL=post.url(), CHRONOS_EGRESS_DENY="loopback").start()
    try:
        made.login()
        run = attempt(made, "EMAIL", {"to": "ann@example.com", "subject": "s", "text": "t"})
        assert (run["status"], run["errorClass"]) == ("FAILED", "EGRESS_DENIED") and "egress" in run["errorMessage"], run
    finally:
        made.stop()


def test_without_a_mail_server_the_remedy_is_named(tmp_path):
    made = Server(tmp_path / "server").start()
    try:
        made.login()
        run = attempt(made, "EMAIL", {"to": "ann@example.com", "subject": "s", "text": "t"})
        assert run["errorClass"] == "EMAIL_ERROR" and "mail.url" in run["errorMessage"], run
    finally:
        made.stop()
