# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document in the hands of others: a linter, a client generated from it; and strings that want to be SQL."""
import json
import os
import pathlib
import shutil
import subprocess
import time
import urllib.parse

import pytest

from chronos import Server
from cluster import database

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / "build" / "npm"
PACKAGES = {"lint": ["@redocly/cli@2"], "client": ["openapi-typescript@7", "openapi-fetch@0.13", "typescript@5"]}
PAYLOADS = ["'", "\"", "' OR '1'='1", "'; DROP TABLE jobs; --", "1' AND SLEEP(5) AND '1'='1", "'||pg_sleep(5)||'", "\\'",
            "%' OR name LIKE '%", "a\x1bb", "ü\U0001f600'", "${7*7}", "/**/UNION/**/SELECT/**/1"]
SQL_WORDS = ["syntax error", "sqlite", "SELECT ", "INSERT ", "mysql", "MariaDB", "PostgreSQL", "SQLSTATE", "near \"", "pg_"]


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("contract")).start()
    server.login()
    path = server.folder / "openapi.json"
    path.write_bytes(server.call("GET", "/openapi.json", base="", auth=False).body)
    yield server, path
    server.stop()


def npm(kind):
    """Folder with the packages, kept between runs."""
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    folder = CACHE / kind
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true, "type": "module"}')
        made = subprocess.run(["npm", "install", "--no-audit", "--no-fund", *PACKAGES[kind]], cwd=folder, text=True,
                              capture_output=True, timeout=300)
        if made.returncode != 0:
            pytest.skip(f"npm cannot install {PACKAGES[kind]}: {made.stderr.strip()[-200:]}")
        (folder / "done").write_text("")
    return folder


def test_a_linter_finds_no_error(document):
    folder = npm("lint")
    config = document[1].with_name("redocly.yaml")
    config.write_text("extends: [recommended]\nrules:\n  no-ambiguous-paths: off\n  operation-4xx-response: off\n")
    made = subprocess.run(["npx", "--no-install", "redocly", "lint", "--config", str(config), "--format", "json",
                           str(document[1])], cwd=folder, text=True, capture_output=True, timeout=120,
                          env={**os.environ, "REDOCLY_TELEMETRY": "off", "CI": "1"})
    problems = json.loads(made.stdout)["problems"]
    errors = [f"{p['ruleId']}: {p['message']} {p['location'][0].get('pointer')}" for p in problems
              if p["severity"] == "error"]
    assert not errors, errors[:10]


CLIENT = """
declare const process: any;
import createClient from "openapi-fetch";
import type { paths } from "./schema";
const client = createClient<paths>({baseUrl: process.env.URL, headers: {Authorization: "Bearer " + process.env.TOKEN}});
const made = await client.POST("/api/v1/jobs", {body: {name: "generated", type: "DUMMY",
  schedule: {scheduleType: "MANUAL"}, payload: {metadata: {}}}});
if (!made.data) throw new Error(JSON.stringify(made.error));
const id: string = made.data.id!;
const run = await client.POST("/api/v1/jobs/{id}:run-now", {params: {path: {id}}, body: {}});
if (run.response.status !== 202) throw new Error(String(run.response.status));
const listed = await client.GET("/api/v1/jobs/{id}/runs", {params: {path: {id}, query: {size: 5}}});
if (listed.data?.totalElements !== 1) throw new Error("runs");
const gone = await client.DELETE("/api/v1/jobs/{id}", {params: {path: {id}}});
console.log(gone.response.status);
"""


def test_a_generated_client_creates_runs_and_deletes_a_job(document):
    server, path = document
    folder = npm("client")
    work = folder / "work"
    work.mkdir(exist_ok=True)
    subprocess.run(["npx", "--no-install", "openapi-typescript", str(path), "--default-non-nullable", "false",
                    "-o", str(work / "schema.ts")], cwd=folder,
                   check=True, capture_output=True, timeout=120)
    (work / "client.ts").write_text(CLIENT)
    made = subprocess.run(["npx", "--no-install", "tsc", "--target", "es2022", "--module", "esnext", "--moduleResolution",
                           "bundler", "--strict", "--skipLibCheck", "--lib", "es2022,dom",
                           str(work / "client.ts")], cwd=folder, text=True, capture_output=True, timeout=120)
    assert made.returncode == 0, made.stdout
    ran = subprocess.run(["node", str(work / "client.js")], cwd=folder, text=True, capture_output=True, timeout=60,
                         env={**os.environ, "URL": server.url, "TOKEN": server.token})
    assert ran.returncode == 0 and ran.stdout.strip() == "204", ran.stdout + ran.stderr


@pytest.fixture(scope="module", params=["sqlite", "postgres", "mariadb"])
def stored(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "sqlite":
        server = Server(folder).start()
        server.login()
        yield server
        server.stop()
        return
    with database(request.param) as db:
        server = Server(folder, CHRONOS_DB_URL=db.env()["CHRONOS_TEST_DB_URL"]).start()
        server.login()
        yield server
        server.stop()


def targets(api):
    """Every text that can be given: parameters of paths and queries, and bodies' texts."""
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            words = [p for p in operation["parameters"] if p["in"] in ("path", "query")]
            texts = [p["name"] for p in words if p["in"] == "query"]
            yield method.upper(), path, texts, operation


def test_strings_that_want_to_be_sql_are_strings(stored):
    api = stored.call("GET", "/openapi.json", base="", auth=False).json
    asked = 0
    for method, path, texts, operation in targets(api):
        if "/events" in path or ":stream" in path or "/auth/" in path or "{name}:" in path or method == "DELETE":
            continue
        for payload in PAYLOADS:
            text = urllib.parse.quote(payload, safe="")
            target = path
            for p in operation["parameters"]:
                if p["in"] == "path":
                    target = target.replace("{%s}" % p["name"], text)
            queries = [f"?{name}={text}" for name in texts] or [""]
            body = {"name": payload, "type": payload, "email": payload, "value": payload} if method != "GET" else None
            for query in queries:
                begin = time.monotonic()
                answer = stored.call(method, target + query, body, base="")
                took = time.monotonic() - begin
                asked += 1
                assert answer.status < 500, (method, target + query, answer.body)
                assert took < 4, (method, target + query, took)
                if answer.status >= 400:
                    said = answer.body.decode().replace(json.dumps(payload, ensure_ascii=False)[1:-1], "")
                    assert not any(w in said for w in SQL_WORDS), (method, target + query, said)
    assert asked > 500
    # They are kept and found as they are.
    for payload in PAYLOADS:
        made = stored.create(name=payload, type="DUMMY", schedule={"scheduleType": "MANUAL"}, tags=[payload])
        assert made["name"] == payload
        found = stored.call("GET", "/jobs?name=" + urllib.parse.quote(payload, safe="")).json["content"]
        assert any(one["id"] == made["id"] for one in found)


def test_huge_expressions_are_refused_by_their_length(document):
    server = document[0]
    for size in (10**5, 9 * 10**5):
        for text in (",".join(["1"] * (size // 2)), "*" * size, "1-" * (size // 2)):
            begin = time.monotonic()
            answer = server.call("POST", "/schedules:preview",
                                 {"schedule": {"scheduleType": "CRON", "cronExpression": text + " * * * *"}})
            assert answer.status == 400 and "at most" in answer.body.decode(), answer.body[:300]
            assert time.monotonic() - begin < 1


def test_the_reader_runs_its_own_script_only(document):
    server = document[0]
    page = server.call("GET", "/docs/api", base="", auth=False)
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy and "default-src 'none'" in policy
    text = page.body.decode()
    assert "http" not in text.replace("http-equiv", "") and "style=" not in text and " on" not in text.split("<body>")[1]
    for path in ("/docs/api/reader.js", "/docs/api/reader.css"):
        assert path in text and server.call("GET", path, base="", auth=False).status == 200
