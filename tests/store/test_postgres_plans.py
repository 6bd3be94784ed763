# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL finds the runs of a batch by their ids, whatever its statistics say of unfinished ones."""
import importlib
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/servers"), str(ROOT / "tools")]
embed_sql = importlib.import_module("embed_sql")
DONE_RUNS = 100000
BINARY = os.environ.get("CHRONOS_BINARY", str(ROOT / "build/test/chronos"))


def batches():
    """Statements that find rows of runs by a list."""
    sql = ROOT / "src/store/sql"
    for name, text in embed_sql.parse_dialect(sql / "queries.sql", sql / "queries_postgres.sql"):
        if "unnest(" in text and re.search(r"\b(UPDATE|JOIN) runs r\b", text):
            yield name, text


BATCHES = dict(batches())


@pytest.fixture(scope="module")
def rested(tmp_path_factory):
    """A database of many runs that all have ended, with statistics that say so."""
    with importlib.import_module("postgres").Server() as server:
        done = subprocess.run([BINARY, "db", "migrate"], capture_output=True, text=True,
                              env={**os.environ, "CHRONOS_DB_URL": server.url(), "CHRONOS_DATA_DIR": str(tmp_path_factory.mktemp("data"))})
        assert done.returncode == 0, done.stderr
        key = "decode(lpad(to_hex(i), 32, '0'), 'hex')"
        server.sql("INSERT INTO runs (id, job_id, job_version, status, scheduled, token, attempt, occurrences, lost_count, "
                   f"trigger_kind, priority, cancel_requested, run_key) SELECT {key}, {key}, 1, 2, i, 1, 1, 1, 0, 0, 1, 0, {key} "
                   f"FROM generate_series(1, {DONE_RUNS}) i; ANALYZE runs", "chronos")
        yield server


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_finds_its_runs_by_id(rested, name):
    text = BATCHES[name]
    count = max(int(n) for n in re.findall(r"\?(\d+)", text))
    types = dict(re.findall(r"\?(\d+)::([a-z]+(?:\[\])?)", text))
    prepared = re.sub(r"\?(\d+)", r"$\1", text).rstrip().rstrip(";")
    declared = ", ".join(types.get(str(n), "unknown") for n in range(1, count + 1))
    plan = str(rested.sql(f"PREPARE batch ({declared}) AS {prepared}; SET plan_cache_mode = force_generic_plan; "
                          f"EXPLAIN EXECUTE batch ({', '.join(['NULL'] * count)})", "chronos"))
    assert "runs_pkey" in plan, plan
    assert "runs_unfinished" not in plan and "Seq Scan on runs" not in plan, plan
