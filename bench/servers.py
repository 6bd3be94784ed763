#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures nodes on PostgreSQL and MariaDB beside their peers and prints one JSON line per figure. bench/README.md says how.

    python3 bench/servers.py [--build build/release] [--only drain,lateness,stored] [--on postgres,mariadb]
                             [--rounds 3] [--quick] [--stored 1000000] [--runs 10000000] [--folder /var/tmp]

Peer and Chronos alternate within one run, each on a fresh server of its own with the same settings; quote the ratio.
"""
import argparse
import contextlib
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from run import BATCH_SIZE, ROOT, job, quantile, say, soon

sys.path.insert(0, str(ROOT / "tests/servers"))
import chronos as e2e  # noqa: E402
import cluster as nodes  # noqa: E402

# Enough memory for all that is measured, everything flushed at commit as it comes out of the box.
POSTGRES_SETTINGS = ("shared_buffers=1GB", "max_wal_size=4GB", "max_connections=200")
MARIADB_MEMORY = "1G"
GRAPHILE = "0.17.3"
JAVA_PACKAGES = "libquartz2-java libmariadb-java libhikaricp-java libslf4j-java default-jdk-headless"
JARS = ("quartz2", "slf4j-api", "slf4j-nop", "mariadb-java-client", "HikariCP")
RATES, LATENESS_SECONDS = (200, 1000), 30
FILL_CHUNK = 500000
LEAD_SECONDS, PATIENCE = 10, 6
FAR = datetime.datetime(2099, 1, 1, tzinfo=datetime.timezone.utc)
HISTORY_DAYS = 30
PEER_SECONDS_MAX = 900


class Missing(Exception):
    """What this machine lacks for a peer, and how to get it."""


@contextlib.contextmanager
def database(name, args):
    """A fresh database server on a disk."""
    with tempfile.TemporaryDirectory(dir=args.folder, prefix="chronos-bench-") as folder:
        pathlib.Path(folder).chmod(0o755)
        how = {"settings": POSTGRES_SETTINGS} if name == "postgres" else {"memory": MARIADB_MEMORY}
        server = nodes.database(name, folder=os.path.join(folder, "server"), **how)
        with server:
            yield server


def rows(server, text):
    """Rows of a query as lists of texts."""
    out = server.sql(text, "chronos")
    return out if isinstance(out, list) else [line.split("|") for line in out.splitlines() if line]


@contextlib.contextmanager
def members(server, count, **settings):
    """A cluster of that many nodes on the server."""
    with tempfile.TemporaryDirectory(dir=ROOT / "var", prefix="bench-") as folder:
        made = nodes.Cluster(folder, count, server.env()["CHRONOS_TEST_DB_URL"], **settings)
        try:
            yield made.start()
        finally:
            made.close()


def runs_total(cluster):
    return sum(e2e.metric(node, "chronos_runs_total") for node in cluster.nodes)


# ---- peers

def cache():
    path = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "chronos-bench"
    path.mkdir(parents=True, exist_ok=True)
    return path


def graphile(server, count):
    """graphile-worker of npm, in a folder outside of the project."""
    folder = cache() / f"graphile-worker-{GRAPHILE}"
    if not (folder / "node_modules/graphile-worker").exists():
        folder.mkdir(exist_ok=True)
        try:
            subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", f"graphile-worker@{GRAPHILE}",
                            "pg"], cwd=folder, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Missing(f"graphile-worker needs nodejs, npm and its registry: {error}") from None
    return peer(["node", ROOT / "bench/peers/graphile.cjs", folder, str(count)],
                {"DATABASE_URL": server.env()["CHRONOS_TEST_DB_URL"]})


def quartz(server, count):
    """Quartz of the distribution's packages."""
    import mariadb
    jars = [pathlib.Path(f"/usr/share/java/{name}.jar") for name in JARS]
    folder = cache() / "quartz"
    try:
        lacking = [str(jar) for jar in jars if not jar.exists()]
        if lacking:
            raise OSError(f"{', '.join(lacking)} missing")
        path = ":".join(map(str, jars))
        subprocess.run(["javac", "-d", folder, "-cp", path, ROOT / "bench/peers/QuartzDrain.java"], check=True,
                       capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Missing(f"Quartz needs apt-get install {JAVA_PACKAGES}: {error}") from None
    return peer(["java", "-cp", f"{path}:{folder}", "QuartzDrain", str(count)],
                {"JDBC_URL": f"jdbc:mariadb://127.0.0.1:{server.port}/{mariadb.DATABASE}", "JDBC_USER": mariadb.USER,
                 "JDBC_PASSWORD": mariadb.PASSWORD})


def peer(command, env):
    out = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, timeout=PEER_SECONDS_MAX)
    if out.returncode != 0:
        raise AssertionError(f"{command[0]}: {out.stdout}{out.stderr}"[-4000:])
    return json.loads(out.stdout.splitlines()[-1])


# name: (program, jobs, jobs when quick). A slow peer gets fewer jobs, so that a round takes seconds.
PEERS = {"postgres": (graphile, 100000, 20000), "mariadb": (quartz, 5000, 1000)}


# ---- drain

def making_seconds(node, count):
    """How long so many jobs may take to make here, so that all are there before they are due: by a batch that is never due."""
    begun = time.monotonic()
    node.create_many([job("paces", FAR)] * BATCH_SIZE)
    return LEAD_SECONDS + PATIENCE * (time.monotonic() - begun) * count / BATCH_SIZE


def drain_on(server, count, members_count):
    """Runs/s of jobs that are all due at one instant, from the first start to the last recorded end."""
    with members(server, members_count) as cluster:
        lead = cluster.nodes[0]
        before = runs_total(cluster)
        due = soon(making_seconds(lead, count))
        lead.create_many([job(f"drain {i}", due) for i in range(count)])
        assert soon(0) < due, "creating the jobs took longer than was left until they were due"
        e2e.wait_until(lambda: runs_total(cluster) - before >= count, 300, "the drain")
        at = int(due.timestamp() * 1000) * 1000
        first, last, done = rows(server, "SELECT min(started), max(ended), count(*) FROM runs WHERE status = 2 AND "
                                         f"scheduled = {at}")[0]
        assert int(done) == count, f"{done} of {count} runs succeeded"
        shares = [int(n) for _, n in rows(server, f"SELECT worker, count(*) FROM runs WHERE scheduled = {at} GROUP BY worker")]
        return count / ((int(last) - int(first)) / 1e6), shares


def bench_drain(args, name):
    count = 20000 if args.quick else 100000
    program, many, few = PEERS[name]
    theirs, ours, missing = [], {1: [], 2: []}, None
    for _ in range(args.rounds):
        try:
            with database(name, args) as server:
                theirs.append(program(server, few if args.quick else many))
        except Missing as lacking:
            missing = str(lacking)
        for members_count in ours:
            with database(name, args) as server:
                ours[members_count].append(drain_on(server, count, members_count))
    for members_count, rates in ours.items():
        ratios = [rate / their["runs_per_s"] for (rate, _), their in zip(rates, theirs)]
        say("drain_server", on=name, nodes=members_count, jobs=count, runs_per_s=round(statistics.median(r for r, _ in rates)),
            shares=rates[-1][1], all=[round(rate) for rate, _ in rates],
            **({"peer": theirs[0]["peer"], "peer_version": theirs[0]["version"], "peer_jobs": theirs[0]["jobs"],
                "peer_per_s": statistics.median(t["runs_per_s"] for t in theirs), "ratio": round(statistics.median(ratios), 2)}
               if theirs else {"peer_missing": missing}))


# ---- lateness

def lateness_on(server, cluster, rate, seconds):
    """Milliseconds from due to start of one-off jobs, evenly spread, in rising order."""
    lead = cluster.nodes[0]
    before = runs_total(cluster)
    begin = soon(making_seconds(lead, rate * seconds))
    lead.create_many([job(f"due {i}", begin + datetime.timedelta(seconds=i / rate)) for i in range(rate * seconds)])
    assert soon(0) < begin, "creating the jobs took longer than was left until they were due"
    e2e.wait_until(lambda: runs_total(cluster) - before >= rate * seconds, seconds + 120, "all runs")
    from_us, to_us = (int((begin + datetime.timedelta(seconds=s)).timestamp() * 1e6) for s in (0, seconds))
    late = sorted(int(started) / 1000 for started, in rows(
        server, f"SELECT started - coalesce(due, scheduled) FROM runs WHERE scheduled >= {from_us // 1000 * 1000} AND "
                f"scheduled < {to_us}"))
    assert len(late) == rate * seconds, f"{len(late)} of {rate * seconds} runs"
    return late


def store_jobs(cluster, count):
    body = json.dumps({"jobs": [job("stored", FAR)] * BATCH_SIZE}).encode()
    for _ in range(count // BATCH_SIZE):
        assert cluster.nodes[0].call("POST", "/jobs:batch", body).status == 201


def figures(late):
    return {"runs": len(late), "early": sum(x < 0 for x in late), "p50_ms": quantile(late, .5), "p99_ms": quantile(late, .99),
            "max_ms": late[-1]}


def bench_lateness(args, name):
    stored = 10000 if args.quick else args.stored
    seconds = 10 if args.quick else LATENESS_SECONDS
    for members_count in (1, 2):
        with database(name, args) as server, members(server, members_count) as cluster:
            store_jobs(cluster, stored)
            for rate in RATES:
                say("lateness_server", on=name, nodes=members_count, rate_per_s=rate, stored=stored,
                    **figures(lateness_on(server, cluster, rate, seconds)))


# ---- growth

FILL = {
    "postgres": "decode(lpad(to_hex(t), 12, '0') || lpad(to_hex(i % 65536), 4, '0') || substr(md5({salt} || i::text), 1, 16), 'hex')",
    "mariadb": "unhex(concat(lpad(hex(t), 12, '0'), lpad(hex(i % 65536), 4, '0'), left(md5(concat({salt}, i)), 16)))",
}
SERIES = {"postgres": "(SELECT i, {t} AS t FROM generate_series({a}::bigint, {b}) i) s",
          "mariadb": "(SELECT seq AS i, {t} AS t FROM seq_{a}_to_{b}) s"}


def fill_runs(server, name, count):
    """History of the last days, written past Chronos: ids in time order as it makes them, every run a success."""
    step_ms = HISTORY_DAYS * 86400 * 1000 // count
    begin_ms = int(time.time() * 1000) - count * step_ms - 3600 * 1000
    key = FILL[name]
    for a in range(1, count + 1, FILL_CHUNK):
        series = SERIES[name].format(t=f"{begin_ms} + {'i' if name == 'postgres' else 'seq'} * {step_ms}", a=a,
                                     b=min(a + FILL_CHUNK - 1, count))
        text = ("INSERT INTO runs (id, job_id, job_version, status, scheduled, started, ended, token, attempt, occurrences, "
                "lost_count, trigger_kind, priority, cancel_requested, worker, run_key) "
                f"SELECT {key.format(salt=chr(39) + 'id' + chr(39))}, {key.format(salt=chr(39) + 'job' + chr(39))}, 1, 2, t * 1000, "
                "t * 1000 + 900, t * 1000 + 2000, 1, 1, 1, 0, 0, 1, 0, 'n1', "
                f"{key.format(salt=chr(39) + 'key' + chr(39))} FROM {series}")
        server.sql(text, "chronos")
    if name == "postgres":
        server.sql("VACUUM ANALYZE runs", "chronos")


def bench_stored(args, name):
    """Drain and lateness with many runs stored against none, alternating."""
    total, count = (200000, 20000) if args.quick else (args.runs, 100000)
    seconds = 10 if args.quick else LATENESS_SECONDS
    drains, lates = {"empty": [], "full": []}, {"empty": [], "full": []}
    with database(name, args) as empty, database(name, args) as full:
        with members(full, 1):
            pass  # makes the tables
        begun = time.monotonic()
        fill_runs(full, name, total)
        say("fill", on=name, runs=total, seconds=round(time.monotonic() - begun))
        for _ in range(args.rounds):
            for which, server in (("empty", empty), ("full", full)):
                drains[which].append(drain_on(server, count, 1)[0])
                with members(server, 1) as cluster:
                    lates[which].append(quantile(lateness_on(server, cluster, RATES[-1], seconds), .99))
                print(f"{which}: {drains[which][-1]:.0f} runs/s, p99 {lates[which][-1]:.1f} ms", file=sys.stderr)
    say("stored_drain", on=name, runs_stored=total, jobs=count,
        **{f"{which}_per_s": round(statistics.median(rates)) for which, rates in drains.items()},
        ratio_to_empty=round(statistics.median(f / e for e, f in zip(drains["empty"], drains["full"])), 3))
    say("stored_lateness", on=name, runs_stored=total, rate_per_s=RATES[-1],
        **{f"{which}_p99_ms": round(statistics.median(some), 2) for which, some in lates.items()},
        ratio_to_empty=round(statistics.median(f / e for e, f in zip(lates["empty"], lates["full"])), 3))


BENCHES = {"drain": bench_drain, "lateness": bench_lateness, "stored": bench_stored}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--only", default=",".join(BENCHES))
    parser.add_argument("--on", default="postgres,mariadb")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stored", type=int, default=100000, help="other jobs stored while lateness is measured")
    parser.add_argument("--runs", type=int, default=10000000, help="runs stored by the bench \"stored\"")
    parser.add_argument("--folder", default="/var/tmp", help="where the servers keep their data; must be a disk")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    e2e.BINARY = str(ROOT / args.build / "chronos")
    (ROOT / "var").mkdir(exist_ok=True)
    for which in args.only.split(","):
        for name in args.on.split(","):
            BENCHES[which](args, name)


if __name__ == "__main__":
    main()
