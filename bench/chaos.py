#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Long runs of a real cluster under faults, judged by the target's log. JSON lines; exit code 1 on any violation.

    python3 bench/chaos.py [--on postgres] [--only nodes,database,…] [--seconds 600] [--every 20] [--nodes 3]
                           [--schedules 200] [--seed N] [--history var/chaos] [--build build/release]

    nodes     every 20 s one of: kill -9, SIGSTOP for 60 s, cut between node and database for 60 s
    database  the database is restarted 10 times
    rolling   the nodes are restarted one after the other, 20 times around
    skew      the clocks of the nodes differ by 5 s, 55 s, then 10 min (needs the package faketime)
    slow      300 ms ± 200 ms and a loss of 20 % between nodes and database, then every statement half a second late
    deadlocks every tenth statement on plans and runs fails with a deadlock or a serialization error
    failover  PostgreSQL: the primary is killed, its synchronous standby takes over, 20 times

As root each node has a network namespace of its own, with one link to the database and another one to the target, so that
a node that is cut off could still act, and would be seen. Without root there are no cuts.
"""
import argparse
import contextlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests/servers"), str(ROOT / "tests/e2e")]
os.environ.setdefault("CHRONOS_BINARY", str(ROOT / "build/release/chronos"))
import chronos as e2e  # noqa: E402
from cluster import Cluster, Faults, Load, Node, Target, database, now_ms, takeover_seconds  # noqa: E402
from standby import Pair  # noqa: E402
from wire import Wire  # noqa: E402

STOP_SECONDS, CUT_SECONDS, DOWN_SECONDS_MAX = 60, 60, 20
FAULTY_MAX = 2           # nodes at a time
DATABASE_RESTARTS, ROLLING_ROUNDS, FAILOVERS = 10, 20, 20
FAULTY_STATEMENTS = 0.1
SKEWS_S = (5, 55, 600)
SKEW_SECONDS, SKEW_REFUSED_S = 60, 60
FREQUENT_MS = 2000
EXCLUSIVE_SHARE, ONCE_SHARE = 10, 2  # one in so many schedules
LEAD_MS = 5000
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


def say(**figures):
    print(json.dumps(figures), flush=True)


def command(*words):
    subprocess.run(words, check=True, capture_output=True)


class Network:
    """Two bridges, "d" to the database and "j" to the target, and a namespace with a link to each for every node."""

    made = 0  # links of one before may take a moment to go

    def __init__(self):
        Network.made += 1
        self.key = f"c{os.getpid() % 10000}{chr(ord('a') + Network.made % 26)}"
        third = os.getpid() % 250
        self.nets = {"d": f"10.219.{third}", "j": f"10.220.{third}"}
        self.spaces = []

    def up(self):
        for kind, net in self.nets.items():
            command("ip", "link", "add", self.key + kind, "type", "bridge")
            command("ip", "address", "add", f"{net}.1/24", "dev", self.key + kind)
            command("ip", "link", "set", self.key + kind, "up")
        return self

    def hub(self, kind):
        return f"{self.nets[kind]}.1"

    def join(self, number):
        """Makes the namespace of a node; its name and its address at the target's side."""
        space = f"{self.key}n{number}"
        command("ip", "netns", "add", space)
        self.spaces.append(space)
        for kind, net in self.nets.items():
            outer, inner = f"{self.key}{kind}{number}", f"{self.key}{kind}{number}i"
            command("ip", "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", space)
            command("ip", "link", "set", outer, "master", self.key + kind, "up")
            command("ip", "-n", space, "address", "add", f"{net}.{10 + number}/24", "dev", inner)
            command("ip", "-n", space, "link", "set", inner, "up")
        command("ip", "-n", space, "link", "set", "lo", "up")
        return space, f"{self.nets['j']}.{10 + number}"

    def cut(self, number, off):
        """Packets between that node and the database vanish, both ways; nobody is told."""
        command("ip", "link", "set", f"{self.key}d{number}", "nomaster" if off else "master", *([] if off else [self.key + "d"]))

    def down(self):
        for space in self.spaces:
            subprocess.run(["ip", "netns", "delete", space], capture_output=True)
        for kind in self.nets:
            subprocess.run(["ip", "link", "delete", self.key + kind], capture_output=True)


def reachable(server, name, network):
    """Lets nodes of the network in. Test servers listen on loopback only."""
    hub, net = network.hub("d"), network.nets["d"] + ".0"
    if name == "postgres":
        server.settings = (*server.settings, f"listen_addresses=127.0.0.1,{hub}", "max_connections=200")
    else:
        server.options += [f"--bind-address=127.0.0.1,{hub}"]
    server.start()
    if name == "postgres":
        with open(server.data / "pg_hba.conf", "a") as rules:
            rules.write(f"\nhost all all {net}/24 scram-sha-256\n")
        server.sql("SELECT pg_reload_conf()")
    else:
        import mariadb
        server.sql(f"CREATE USER '{mariadb.USER}'@'%' IDENTIFIED BY '{mariadb.PASSWORD}'; "
                   f"GRANT ALL ON {mariadb.DATABASE}.* TO '{mariadb.USER}'@'%'")
    return server.env()["CHRONOS_TEST_DB_URL"].replace("127.0.0.1", hub)


class World:
    """Database, target, nodes and load of one scenario, and the faults done to them."""

    def __init__(self, args, folder, seconds, settings=None, wired=None):
        """wired: makes the database and starts it; nodes reach it through a relay (wire.py), not through namespaces."""
        self.wired, self.wire = wired, None
        self.args, self.folder, self.seconds = args, pathlib.Path(folder), int(seconds)
        self.faults, self.chance = Faults(), random.Random(args.seed)
        self.stack = contextlib.ExitStack()
        self.settings = settings or (lambda number: {})

    def __enter__(self):
        try:
            self.open()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    def open(self):
        self.server = self.wired() if self.wired else database(self.args.on)
        self.stack.callback(self.server.close)
        self.network = None
        if self.wired:
            self.wire = Wire(self.server.start().port, self.args.seed).start()
            self.stack.callback(self.wire.close)
            url = self.server.env()["CHRONOS_TEST_DB_URL"].replace(str(self.server.port), str(self.wire.port))
        elif os.geteuid() == 0:
            self.network = Network()
            self.stack.callback(self.network.down)
            url = reachable(self.server, self.args.on, self.network.up())
        else:
            url = self.server.start().env()["CHRONOS_TEST_DB_URL"]
        self.target = Target(self.folder / "target")
        self.target.host = self.network.hub("j") if self.network else self.target.host
        self.stack.callback(self.target.start().stop)
        self.cluster = Cluster(self.folder, self.args.nodes, url, make=self.make)
        self.stack.callback(self.cluster.close)
        self.cluster.start()
        begin = now_ms() + LEAD_MS
        self.load = Load(self.cluster, self.target, begin, begin + self.seconds * 1000)
        count = self.args.schedules
        self.load.grids(count - count // EXCLUSIVE_SHARE)
        self.load.exclusives(count // EXCLUSIVE_SHARE)
        self.load.onces(count // ONCE_SHARE)

    def make(self, folder, name, url, **more):
        number = int(name[1:])
        where = {}
        if self.network:
            space, address = self.network.join(number)
            where = {"host": address, "prefix": ("ip", "netns", "exec", space)}
        return Node(folder, name, url, **where, **self.settings(number), **more)

    @property
    def over(self):
        return now_ms() >= self.load.end

    def pause(self, seconds):
        """Waits, at most to the end of the load."""
        time.sleep(max(0, min(seconds, (self.load.end - now_ms()) / 1000)))

    def restart(self, node):
        """Starts a node again; how long until it answers, in s."""
        begun = time.monotonic()
        node.start()
        return round(time.monotonic() - begun, 2)

    def judge(self, scenario, skew_ms=0, **figures):
        """Prints the verdict and keeps its history; whether there is no violation."""
        window = int(takeover_seconds() * 1000)
        for node in self.cluster.nodes:
            if not node.running:
                node.start()
        verdict = self.load.settle(window, self.faults, skew_ms)
        history = pathlib.Path(self.args.history) / f"{time.strftime('%Y%m%d-%H%M%S')}-{self.args.on}-{scenario}"
        self.keep(history, verdict)
        say(scenario=scenario, on=self.args.on, nodes=self.args.nodes, schedules=self.args.schedules, seconds=self.seconds,
            seed=self.args.seed, faults=len(self.faults), **verdict.counts(), **figures, violations=not verdict.clean,
            history=str(history))
        return verdict.clean

    def keep(self, history, verdict):
        history.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.target.folder / "access.log", history / "access.log")
        for node in self.cluster.nodes:
            shutil.copy(node.folder / "server.log", history / f"{node.name}.log")
        jobs = [{"id": job.id, "start": job.start, "step": job.step, "instants": job.instants, "exclusive": job.exclusive}
                for job in self.load.jobs]
        (history / "history.json").write_text(json.dumps(
            {"begin": self.load.begin, "end": self.load.end, "faults": [fault._asdict() for fault in self.faults], "jobs": jobs,
             "verdict": verdict.counts(), "examples": verdict.examples(20)}, indent=1, default=str))

    def takeovers(self):
        """For each lost owner: seconds until the last of its frequent jobs ran elsewhere; None when it had none."""
        if not self.network:
            return []
        address = {node.name: node.host for node in self.cluster.nodes}
        by_job = {job.id: [] for job in self.load.jobs if job.step and job.step <= FREQUENT_MS}
        for start in self.load.starts():
            if start.job in by_job:
                by_job[start.job].append(start)
        took = []
        for fault in self.faults:
            if not fault.owner_lost:
                continue
            gone, waits = address[fault.node], []
            for starts in by_job.values():
                before = [start for start in starts if start.at < fault.begin]
                after = [start for start in starts if start.at >= fault.begin]
                if before and before[-1].source == gone and after and after[0].source != gone:
                    waits.append((after[0].at - fault.begin) / 1000)
            took.append(round(max(waits), 1) if waits else None)
        return took


# ---- scenarios

def do_kill(world, node, told):
    with world.faults.during("kill", node.name, owner_lost=True):
        node.kill()
        world.pause(world.chance.uniform(0, DOWN_SECONDS_MAX))
        told["restart_s"].append(world.restart(node))


def do_stop(world, node, told):
    with world.faults.during("stop", node.name, owner_lost=True):
        node.freeze(True)
        world.pause(STOP_SECONDS)
        node.freeze(False)


def do_cut(world, node, told):
    number = int(node.name[1:])
    with world.faults.during("cut", node.name, owner_lost=True):
        world.network.cut(number, True)
        world.pause(CUT_SECONDS)
        world.network.cut(number, False)


def scenario_nodes(args, folder):
    """One fault every so many seconds, on a node that has none, while at least one node is left in peace."""
    with World(args, folder, args.seconds) as world:
        told, threads, counts = {"restart_s": []}, {}, {}
        kinds = [do_kill, do_stop] + ([do_cut] if world.network else [])
        most = min(args.faulty, args.nodes - 1)
        world.pause(max(0, world.load.begin - now_ms()) / 1000 + args.every / 2)
        while not world.over:
            threads = {name: thread for name, thread in threads.items() if thread.is_alive()}
            free = [node for node in world.cluster.nodes if node.name not in threads]
            if len(threads) < most:
                node, kind = world.chance.choice(free), world.chance.choice(kinds)
                counts[kind.__name__[3:]] = counts.get(kind.__name__[3:], 0) + 1
                threads[node.name] = threading.Thread(target=kind, args=(world, node, told))
                threads[node.name].start()
            world.pause(args.every)
        for thread in threads.values():
            thread.join()
        took = world.takeovers()
        restarts = told["restart_s"]
        return world.judge("nodes", **counts, takeover_s_max=max((t for t in took if t), default=None), takeover_s=took,
                           restart_s_max=max(restarts, default=None))


def scenario_database(args, folder):
    """The database goes and comes back; how long until something starts again."""
    seconds = args.restarts * args.every
    with World(args, folder, seconds) as world:
        back = []
        world.pause(max(0, world.load.begin - now_ms()) / 1000)
        for _ in range(args.restarts):
            world.pause(args.every * 0.5)
            with world.faults.during("database"):
                world.server.restart()
            up = now_ms()
            world.pause(args.every * 0.5)
            first = [start.at for start in world.load.starts() if start.at > up]
            back.append(round((first[0] - up) / 1000, 2) if first else None)
        clean = world.judge("database", restarts=args.restarts, back_s=back)
        return clean and all(one is not None and one <= 5 for one in back)


def scenario_rolling(args, folder):
    """Each node in turn is ended in order and started again, many times around."""
    seconds = args.rounds * args.nodes * 2
    with World(args, folder, seconds) as world:
        rounds, ends = 0, []
        world.pause(max(0, world.load.begin - now_ms()) / 1000)
        while rounds < args.rounds:
            for node in world.cluster.nodes:
                with world.faults.during("restart", node.name):
                    begun = time.monotonic()
                    code = node.stop()
                    ends.append(round(time.monotonic() - begun, 2))
                    if code != 0:
                        raise AssertionError(f"{node.name} ended with {code}")
                    world.restart(node)
            rounds += 1
        return world.judge("rolling", rounds=rounds, end_s_max=max(ends))


def scenario_skew(args, folder):
    """Clocks differ: n1 is right, n2 ahead, n3 behind. A node that is too far off must leave the work to the others."""
    if not os.path.exists(FAKETIME):
        say(scenario="skew", on=args.on, skipped="apt-get install faketime")
        return True
    clean = True
    for skew in SKEWS_S:
        shift = {2: f"+{skew}s", 3: f"-{skew}s"}

        def settings(number):
            return {"LD_PRELOAD": FAKETIME, "FAKETIME": shift[number], "FAKETIME_DONT_FAKE_MONOTONIC": "1"} if number in shift else {}
        with World(args, pathlib.Path(folder) / str(skew), SKEW_SECONDS, settings) as world:
            world.pause(SKEW_SECONDS + LEAD_MS / 1000)
            # By the target's clock a node that is ahead starts early by its skew, and one behind is late by it. One that
            # is too far off starts nothing.
            clean = world.judge(f"skew-{skew}", skew * 1000 if skew <= SKEW_REFUSED_S else 0) and clean
    return clean


def scenario_slow(args, folder):
    """A bad line, then a database that thinks long. Heartbeats have a connection of their own: nobody may lose a lease."""
    clean = True
    for kind, delay, spread, loss in (("loss", 300, 200, 0.2), ("late", 500, 0, 0)):
        with World(args, pathlib.Path(folder) / kind, args.seconds / 2, wired=lambda: database(args.on)) as world:
            with world.faults.during("slow"):  # starts may be late, and that is all
                world.wire.delay_ms, world.wire.spread_ms, world.wire.loss = delay, spread, loss
                world.pause(args.seconds)
                world.wire.delay_ms = world.wire.spread_ms = world.wire.loss = 0
            lost = sum(log.read_text().count("lease of this node has ended") for log in
                       pathlib.Path(folder, kind).glob("*/server.log"))
            clean = world.judge(f"slow-{kind}", leases_lost=lost) and lost == 0 and clean
    return clean


# A trigger before each statement, on the tables of the hot path.
DEADLOCKS = {
    "postgres": ("""CREATE FUNCTION falter() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF random() < {share} THEN
            IF random() < 0.5 THEN RAISE EXCEPTION 'injected' USING ERRCODE = '40P01'; END IF;
            RAISE EXCEPTION 'injected' USING ERRCODE = '40001';
        END IF; RETURN NULL; END $$""",
                 "CREATE TRIGGER falter_{table} BEFORE INSERT OR UPDATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION falter()"),
    "mariadb": ("SELECT 1",
                "DELIMITER //\nCREATE TRIGGER falter_{table}_{event} BEFORE {event} ON {table} FOR EACH ROW BEGIN IF rand() < {share} "
                "THEN SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'injected'; END IF; END //\n"),
}


def scenario_deadlocks(args, folder):
    """Retries hide them: nothing is lost, and starts are hardly later."""
    with World(args, folder, args.seconds / 2, wired=lambda: database(args.on)) as world:
        first, each = DEADLOCKS[args.on]
        # A row of MariaDB stands for a statement: rows of a batch share the chance.
        share = FAULTY_STATEMENTS if args.on == "postgres" else FAULTY_STATEMENTS / 10
        world.server.sql(first.format(share=share), "chronos")
        for table in ("plans", "runs"):
            for event in ("INSERT", "UPDATE") if args.on == "mariadb" else ("",):
                world.server.sql(each.format(table=table, event=event, share=share), "chronos")
        world.pause(args.seconds)
        return world.judge("deadlocks")


def scenario_failover(args, folder):
    """Acknowledged is on two servers: the death of one forgets nothing."""
    if args.on != "postgres":
        say(scenario="failover", on=args.on, skipped="needs PostgreSQL's synchronous replication")
        return True
    with World(args, folder, args.failovers * args.every, wired=Pair) as world:
        back = []
        for _ in range(args.failovers):
            world.pause(args.every * 0.4)
            with world.faults.during("failover"):
                world.server.fail_over()
                world.wire.move(world.server.port)
            up = now_ms()
            world.pause(args.every * 0.4)
            first = [start.at for start in world.load.starts() if start.at > up]
            back.append(round((first[0] - up) / 1000, 2) if first else None)
            world.server.rebuild()
        clean = world.judge("failover", failovers=args.failovers, back_s=back)
        return clean and all(one is not None for one in back)


SCENARIOS = {"nodes": scenario_nodes, "database": scenario_database, "rolling": scenario_rolling, "skew": scenario_skew,
             "slow": scenario_slow, "deadlocks": scenario_deadlocks, "failover": scenario_failover}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--on", default="postgres")
    parser.add_argument("--only", default=",".join(SCENARIOS))
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--every", type=float, default=20)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--schedules", type=int, default=200)
    parser.add_argument("--faulty", type=int, default=FAULTY_MAX, help="nodes that may be disturbed at a time")
    parser.add_argument("--restarts", type=int, default=DATABASE_RESTARTS)
    parser.add_argument("--rounds", type=int, default=ROLLING_ROUNDS)
    parser.add_argument("--failovers", type=int, default=FAILOVERS)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--history", default=str(ROOT / "var/chaos"))
    args = parser.parse_args()
    e2e.BINARY = os.environ["CHRONOS_BINARY"] if args.build == "build/release" else str(ROOT / args.build / "chronos")
    clean = True
    for name in args.only.split(","):
        with tempfile.TemporaryDirectory(prefix="chronos-chaos-") as folder:
            clean = SCENARIOS[name](args, folder) and clean
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
