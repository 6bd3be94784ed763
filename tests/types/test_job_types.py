# SPDX-License-Identifier: Apache-2.0
"""GET /job-types: what it says of every type is what the server does."""
import json

import pytest

from chronos import Server

ALL = {"HTTP", "SCRIPT", "DATABASE", "FILE_SYSTEM", "MESSAGE_QUEUE", "CACHE", "EMAIL", "REPORT", "DB_TO_KAFKA", "DUMMY", "MONITOR"}
TYPES = {"string", "integer", "number", "boolean", "array", "object"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("types"), CHRONOS_SCRIPT_ENABLED="false").start()
    made.login()
    yield made
    made.stop()


def types(server):
    answer = server.call("GET", "/job-types")
    assert answer.status == 200
    return answer.json["content"]


def schema_check(schema, path):
    """JSON Schema 2020-12 as far as the tables write it: known types, documented properties, required ones present."""
    words = schema.get("type", [])
    assert set([words] if isinstance(words, str) else words) <= TYPES | {"null"}, path
    for name in schema.get("required", []):
        assert name in schema["properties"], (path, name)
    for name, field in schema.get("properties", {}).items():
        assert len(field["description"]) > 5, (path, name)
        schema_check(field, f"{path}/{name}")


def test_every_type_is_described_and_its_examples_are_accepted(server):
    found = types(server)
    assert {t["name"] for t in found} == ALL
    for t in found:
        assert t["description"].endswith(".") and {"TIMEOUT", "LOST"} <= set(t["failureClasses"])
        schema = t["payloadSchema"]
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema" and schema["type"] == "object"
        assert schema["additionalProperties"] is False
        schema_check(schema, t["name"])
        for payload in t["examples"]:
            assert set(payload) <= set(schema["properties"]), t["name"]
            answer = server.call("POST", "/jobs?dryRun=true", {"name": "example", "type": t["name"], "payload": payload,
                                                               "schedule": {"scheduleType": "MANUAL"}})
            assert answer.status in (200, 201), (t["name"], answer.body)
        assert t["examples"] and len(t["failureClasses"]) > 6, t["name"]


def test_one_type_says_whether_it_can_run_here(server):
    script = server.call("GET", "/job-types/script").json
    assert script["name"] == "SCRIPT" and script["available"] is False and "script.enabled" in script["unavailableReason"]
    assert server.call("GET", "/job-types/HTTP").json["available"] is True
    assert server.call("GET", "/job-types/FAX").status == 404
    assert server.call("GET", "/job-types", auth=False).status == 401
    assert "/api/v1/job-types/{type}" in server.call("GET", "/openapi.json", base="").json["paths"]


def test_the_command_line_shows_them(server):
    assert "HTTP" in server.cli("job", "types", check=0).stdout
    one = server.cli("job", "types", "SCRIPT", check=0).stdout
    assert "interpreter" in one and "script.enabled" in one and "example payload" in one
    assert json.loads(server.cli("job", "types", "http", "-o", "json", check=0).stdout)["name"] == "HTTP"
    assert server.cli("job", "types", "FAX").returncode == 3
