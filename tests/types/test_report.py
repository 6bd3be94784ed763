# SPDX-License-Identifier: Apache-2.0
"""REPORT: every format opened by another program, figures against the runs that were made, mail, and large queries.

CHRONOS_REPORT_ROWS sets the size of the large query report (100000 by default; the proof is 1000000).
"""
import csv
import email
import email.policy
import html.parser
import io
import json
import os
import sqlite3
import subprocess
import time
import zipfile

import openpyxl
import pytest

import smtp
from attempts import attempt, begin, end, output, refused
from chronos import SLOW, Server, wait_until

ROWS = int(os.environ.get("CHRONOS_REPORT_ROWS", "100000"))
MEMORY_KIB = 64 * 1024  # more than before the large report
CANCEL_SECONDS = 3
GOOD, BAD = 5, 3


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    return tmp_path_factory.mktemp("report-files")


@pytest.fixture(scope="module")
def post():
    with smtp.Server("plain") as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory, roots, post):
    made = Server(tmp_path_factory.mktemp("report") / "server", CHRONOS_FILES_ROOTS=str(roots),
                  CHRONOS_MAIL_URL=post.url()).start()
    made.login()
    made.good = [attempt(made, "DUMMY", {}) for _ in range(GOOD)]
    made.bad = [attempt(made, "DUMMY", {"metadata": {"simulateFailure": True, "failureMessage": "=Größe <b>"}})
                for _ in range(BAD)]
    yield made
    made.stop()


def report(server, roots, kind, format_, more=None, seconds=60, **parameters):
    name = f"{kind}-{time.monotonic_ns()}.{'xlsx' if format_ == 'EXCEL' else format_.lower()}"
    payload = {"reportType": kind, "format": format_, "targetPath": f"out/{name}", "parameters": parameters, **(more or {})}
    run = attempt(server, "REPORT", payload, seconds=seconds)
    assert run["status"] == "SUCCEEDED", run
    return roots / "out" / name


def table(path, number=0):
    content = json.loads(path.read_text())["content"]
    return [part for part in content if "table" in part][number]["rows"]


def test_the_history_names_every_run(server, roots):
    rows = {row["runId"]: row for row in table(report(server, roots, "RUN_HISTORY", "JSON"))}
    for run in server.good + server.bad:
        row = rows[run["id"]]
        assert (row["job"], row["status"], row["attempt"]) == (run["jobName"], run["status"], 1)
        assert (row["durationMs"], row["startDelayMs"]) == (run["durationMs"], run["startDelayMs"])
        assert row["scheduledTime"] == run["scheduledTime"] and row["errorClass"] == run.get("errorClass")


def test_the_summary_counts_per_job(server, roots):
    job = server.create(name="three", type="DUMMY", schedule={"scheduleType": "MANUAL"},
                        payload={"metadata": {"successProbability": 0.5}})
    for _ in range(3):
        end(server, server.call("POST", f"/jobs/{job['id']}:run-now", {}).json["id"])
    path = report(server, roots, "JOB_SUMMARY", "JSON", jobId=job["id"])
    [row] = table(path)
    runs = server.runs(job["id"])
    assert (row["job"], row["jobId"], row["type"]) == ("three", job["id"], "DUMMY")
    succeeded = sum(run["status"] == "SUCCEEDED" for run in runs)
    assert (row["runs"], row["succeeded"], row["failed"]) == (3, succeeded, 3 - succeeded)
    assert row["successRate"] == round(100 * succeeded / 3, 2)
    assert row["averageMs"] == sum(run["durationMs"] for run in runs) // 3
    chart = next(part for part in json.loads(path.read_text())["content"] if "chart" in part)
    assert [sum(series["values"]) for series in chart["series"]] == [succeeded, 3 - succeeded]
    everything = {row["jobId"] for row in table(report(server, roots, "JOB_SUMMARY", "JSON"))}
    assert {run["jobId"] for run in server.good + server.bad} <= everything


def test_failures_and_their_classes(server, roots):
    path = report(server, roots, "FAILURES", "JSON")
    rows = table(path)
    assert {run["id"] for run in server.bad} <= {row["runId"] for row in rows}
    assert not {run["id"] for run in server.good} & {row["runId"] for row in rows}
    classes = {row["errorClass"]: row["failures"] for row in table(path, 1)}
    assert classes["DUMMY_ERROR"] == sum(row["errorClass"] == "DUMMY_ERROR" for row in rows)


def test_service_levels_bound_what_was_measured(server, roots):
    rows = {row["job"]: row for row in table(report(server, roots, "SLA", "JSON"))}
    for run in server.good + server.bad:
        row = rows[run["jobName"]]
        assert row["runs"] == 1 and row["successRate"] == (100 if run["status"] == "SUCCEEDED" else 0)
        assert row["delayMaxMs"] == run["startDelayMs"] and row["durationP50Ms"] == run["durationMs"]
    assert rows["All jobs"]["runs"] >= GOOD + BAD


def test_the_audit_says_what_is_not_known(server, roots):
    path = report(server, roots, "AUDIT", "JSON")
    assert "no audit trail" in path.read_text()
    started = {row["id"] for row in table(path) if row["action"] == "run started by hand"}
    assert {run["id"] for run in server.good} <= started


def test_periods_are_kept(server, roots):
    assert table(report(server, roots, "RUN_HISTORY", "JSON", **{"from": "2020-01-01T00:00:00Z", "to": "2020-02-01T00:00:00Z"})) == []


def test_owners_see_their_own_only(server, roots, tmp_path):
    account = {"email": "user@example.com", "password": "another horse battery"}
    assert server.call("POST", "/auth/register", account, auth=False).status == 201
    token, server.token = server.token, server.call("POST", "/auth/login", account, auth=False).json["accessToken"]
    try:
        own = attempt(server, "DUMMY", {})
        rows = table(report(server, roots, "RUN_HISTORY", "JSON"))
        assert own["id"] in {row["runId"] for row in rows}
        assert not {run["id"] for run in server.good} & {row["runId"] for row in rows}
        summary = {row["jobId"] for row in table(report(server, roots, "JOB_SUMMARY", "JSON"))}
        assert own["jobId"] in summary and server.good[0]["jobId"] not in summary
    finally:
        server.token = token


# ---- formats, each opened by something else ----

class Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.cells, self.row, self.open, self.tags = [], None, False, []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "tr":
            self.row = []
        if tag in ("td", "th"):
            self.open, self.row = True, self.row + [""]

    def handle_endtag(self, tag):
        if tag == "tr":
            self.cells.append(self.row)
        if tag in ("td", "th"):
            self.open = False

    def handle_data(self, data):
        if self.open:
            self.row[-1] += data


def test_html_is_escaped_and_has_a_chart(server, roots):
    path = report(server, roots, "FAILURES", "HTML", title="A <b> & Ö")
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    assert {"svg", "h1", "table"} <= set(reader.tags) and not {"b", "script"} & set(reader.tags)
    found = [row for row in reader.cells if row[-1] in {run["id"] for run in server.bad}]
    assert len(found) == BAD and all("=Größe <b>" in row for row in found)


def test_csv_is_read_back_and_holds_no_formula(server, roots):
    rows = list(csv.DictReader(io.StringIO(report(server, roots, "FAILURES", "CSV").read_bytes().decode(), newline="")))
    found = [row for row in rows if row["Run"] in {run["id"] for run in server.bad}]
    assert len(found) == BAD and all(row["Error"] == "'=Größe <b>" for row in found)


def test_spreadsheet_cells_are_typed(server, roots):
    book = openpyxl.load_workbook(report(server, roots, "FAILURES", "EXCEL"))
    sheet = book["Failures"]
    head = [cell.value for cell in sheet[1]]
    found = [dict(zip(head, row)) for row in sheet.iter_rows(min_row=2) if row[head.index("Run")].value in
             {run["id"] for run in server.bad}]
    assert len(found) == BAD
    for row in found:
        assert row["Scheduled"].is_date and isinstance(row["Attempt"].value, int)
        assert (row["Error"].data_type, row["Error"].value) == ("s", "=Größe <b>")
    assert book["Runs"]._charts and book["By class"].max_row >= 2


def test_pdf_has_pages_heads_and_letters(server, roots):
    base = roots / "rows.db"
    with sqlite3.connect(base) as db:
        db.execute("CREATE TABLE IF NOT EXISTS words AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE "
                   "i < 300) SELECT i AS number, 'Größe 日本 Ω ' || i AS word FROM n")
    path = report(server, roots, "QUERY", "PDF", databaseUrl="sqlite:rows.db", query="SELECT number, word FROM words ORDER BY 1",
                  title="Wörter")
    info = subprocess.run(["pdfinfo", path], check=True, capture_output=True, text=True).stdout
    pages = int(next(line.split()[1] for line in info.splitlines() if line.startswith("Pages:")))
    assert pages > 5 and "Wörter" in info
    text = subprocess.run(["pdftotext", "-layout", path, "-"], check=True, capture_output=True, text=True).stdout
    assert text.count("number") == pages and f"Page {pages}" in text
    assert "Größe" in text and "Ω 300" in text and "Ω 1" in text
    history = report(server, roots, "RUN_HISTORY", "PDF")
    text = subprocess.run(["pdftotext", "-layout", history, "-"], check=True, capture_output=True, text=True).stdout
    assert "Succeeded" in text and "Runs ended" in text


# ---- queries ----

def test_queries_have_parameters_and_read_only(server, roots):
    with sqlite3.connect(roots / "q.db") as db:
        db.executescript("CREATE TABLE IF NOT EXISTS t(a INTEGER, b TEXT, c REAL); DELETE FROM t; "
                         "INSERT INTO t VALUES (1, '=cmd', 0.5), (2, NULL, 1.5), (3, 'x', 2.5)")
    path = report(server, roots, "QUERY", "JSON", databaseUrl="sqlite:q.db", low="2",
                  query="SELECT a, b, c, a AS a FROM t WHERE a >= :low ORDER BY a")
    assert table(path) == [{"a": 2, "b": None, "c": 1.5, "a_4": 2}, {"a": 3, "b": "x", "c": 2.5, "a_4": 3}]
    assert len(table(report(server, roots, "QUERY", "JSON", databaseUrl="sqlite:q.db", query="SELECT a FROM t", maxRows=2))) == 2
    for query, word in (("DELETE FROM t", "reads"), ("SELECT 1; SELECT 2", "one statement"), ("SELECT 'x", "")):
        faults = refused(server, "REPORT", {"reportType": "QUERY", "targetPath": "x.pdf",
                                            "parameters": {"databaseUrl": "sqlite:q.db", "query": query}})
        assert word in faults["/payload/parameters/query"]
    run = attempt(server, "REPORT", {"reportType": "QUERY", "targetPath": "x.pdf",
                                     "parameters": {"databaseUrl": "sqlite:q.db", "query": "SELECT :x"}})
    assert run["errorClass"] == "DEFINITION_ERROR" and "\"x\"" in run["errorMessage"], run
    run = attempt(server, "REPORT", {"reportType": "QUERY", "targetPath": "x.pdf",
                                     "parameters": {"databaseUrl": "sqlite:q.db", "query": "SELECT nothing FROM t"}})
    assert (run["status"], run["errorClass"]) == ("FAILED", "DATABASE_ERROR"), run
    assert not (roots / "x.pdf").exists()


def resident(server):
    status = open(f"/proc/{server.process.pid}/status").read()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))


@pytest.mark.parametrize("format_", ["CSV", "EXCEL"])
def test_many_rows_in_little_memory(server, roots, format_):
    with open(f"/proc/{server.process.pid}/clear_refs", "w") as reset:
        reset.write("5")  # the high-water mark begins anew
    before = resident(server)
    path = report(server, roots, "QUERY", format_, seconds=60 + ROWS // 2000, databaseUrl="sqlite::memory:",
                  query=f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) "
                        "SELECT i AS number, 'the text of row ' || i AS text, i / 7.0 AS share FROM n")
    if os.environ.get("CHRONOS_SANITIZED") != "1":
        assert resident(server) - before < MEMORY_KIB
    if format_ == "CSV":
        with path.open(newline="") as file:
            rows = sum(1 for _ in csv.reader(file)) - 1
    else:
        with zipfile.ZipFile(path) as book:  # a spreadsheet reader needs minutes for a million rows
            rows = book.read("xl/worksheets/sheet1.xml").count(b"<row ") - 1
    assert rows == ROWS


# ---- delivery ----

def test_reports_are_mailed_and_packed(server, roots, post):
    count = len(post.messages())
    run = attempt(server, "REPORT", {"reportType": "FAILURES", "format": "CSV", "recipients": ["boss@example.com"],
                                     "compress": True, "parameters": {"title": "Failures of the week"},
                                     "templateData": {"message": "Please look."}}, seconds=60)
    assert run["status"] == "SUCCEEDED", run
    assert len(post.messages()) == count + 1
    envelope, raw = post.messages()[-1]
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert envelope["to"] == ["boss@example.com"] and message["Subject"] == "Failures of the week"
    assert "Please look." in message.get_body(("plain",)).get_content()
    [part] = message.iter_attachments()
    assert part.get_filename().startswith("Failures-of-the-week-") and part.get_filename().endswith(".csv.zip")
    with zipfile.ZipFile(io.BytesIO(part.get_payload(decode=True))) as packed:
        [name] = packed.namelist()
        assert name.endswith(".csv") and b"DUMMY_ERROR" in packed.read(name)


def test_a_file_is_replaced_as_a_whole_and_below_the_roots(server, roots):
    (roots / "same.json").write_text("old")
    payload = {"reportType": "AUDIT", "format": "JSON", "targetPath": "same.json"}
    assert attempt(server, "REPORT", payload)["status"] == "SUCCEEDED"
    assert json.loads((roots / "same.json").read_text())["title"] == "Audit"
    run = attempt(server, "REPORT", {**payload, "targetPath": "../out.json"})
    assert (run["status"], run["errorClass"]) == ("FAILED", "FILE_ERROR"), run
    assert not [name for name in os.listdir(roots) if name.startswith(".chronos")]


def test_a_long_query_is_cancelled(server, roots):
    run_id = begin(server, "REPORT", {"reportType": "QUERY", "format": "CSV", "targetPath": "never.csv", "parameters": {
        "databaseUrl": "sqlite::memory:",
        "query": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i > 0) SELECT count(*) FROM n"}})
    wait_until(lambda: server.call("GET", f"/runs/{run_id}").json["status"] == "RUNNING", what="the start")
    asked = time.monotonic()
    assert server.call("POST", f"/runs/{run_id}:cancel").status in (200, 202)
    assert end(server, run_id)["status"] == "CANCELLED"
    assert time.monotonic() - asked < CANCEL_SECONDS * SLOW and not (roots / "never.csv").exists()


def test_bad_payloads_are_refused_at_save(server):
    faults = refused(server, "REPORT", {"reportType": "SLA", "recipients": ["boss"], "templateName": "../x",
                                        "parameters": {"from": "yesterday", "days": "-1", "jobId": "x", "maxRows": "0"}})
    assert {"/payload/recipients/0", "/payload/templateName", "/payload/parameters/from", "/payload/parameters/days",
            "/payload/parameters/jobId", "/payload/parameters/maxRows"} <= set(faults), faults
    faults = refused(server, "REPORT", {"reportType": "QUERY"})
    assert {"/payload/recipients", "/payload/parameters/databaseUrl", "/payload/parameters/query"} <= set(faults), faults
    assert "/payload/reportType" in refused(server, "REPORT", {"reportType": "NEWS", "targetPath": "x"})
    run = attempt(server, "REPORT", {"reportType": "AUDIT", "format": "CSV", "targetPath": "ignored.csv",
                                     "parameters": {"colour": "red"}})
    assert any("colour" in line for line in output(run, "system"))
