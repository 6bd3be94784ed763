# SPDX-License-Identifier: Apache-2.0
"""A real Apache Kafka of one node (KRaft), its jars resolved by Maven into a cache of our own.

CHRONOS_KAFKA_JARS may name a folder that holds them already.
"""
import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import base

VERSION, SCALA = "3.9.1", "2.13"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))) / "chronos-test"
RESOLVE_SECONDS = 600
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>chronos.test</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_{SCALA}</artifactId><version>{VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""


class Unavailable(Exception):
    """Kafka cannot be had here; the text says why."""


def jars():
    """Folder of Kafka's jars. Fetched once; two test runs at a time wait for each other."""
    if os.environ.get("CHRONOS_KAFKA_JARS"):
        return pathlib.Path(os.environ["CHRONOS_KAFKA_JARS"])
    for program in ("java", "mvn"):
        if not shutil.which(program):
            raise Unavailable(f"{program} is not installed (tools/setup.sh)")
    folder = CACHE / f"kafka_{SCALA}-{VERSION}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "kafka.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            fetch(folder)
    return folder


def fetch(folder):
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        pathlib.Path(work, "pom.xml").write_text(POM)
        try:
            done = subprocess.run(["mvn", "-q", "-B", "-Dstyle.color=never", "dependency:copy-dependencies",
                                   f"-DoutputDirectory={work}/lib", "-DincludeScope=runtime"], cwd=work,
                                  capture_output=True, text=True, timeout=RESOLVE_SECONDS)
        except subprocess.TimeoutExpired:
            raise Unavailable(f"Maven did not resolve Kafka {VERSION} within {RESOLVE_SECONDS} s") from None
        if done.returncode:
            raise Unavailable(f"Maven cannot resolve Kafka {VERSION}: {done.stdout.strip().splitlines()[:1]}")
        os.rename(f"{work}/lib", folder)


class Server(base.Server):
    """Broker and controller in one process. Topics are made when they are first written to. A second listener wants
    SASL PLAIN."""

    partitions = 3
    stop_signal = signal.SIGKILL  # nothing of it is kept
    sasl_user, sasl_password = "chronos", "a word of the broker's"

    def __init__(self, folder=None):
        super().__init__(folder)
        self.jars = jars()
        self.controller_port, self.sasl_port = base.free_port(), base.free_port()

    @property
    def brokers(self):
        return f"127.0.0.1:{self.port}"

    def java(self, *arguments):
        return [shutil.which("java"), "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{self.jars}/*", *arguments]

    def prepare(self):
        (self.folder / "server.properties").write_text(f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{self.controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{self.port},SASL://127.0.0.1:{self.sasl_port},CONTROLLER://127.0.0.1:{self.controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{self.port},SASL://127.0.0.1:{self.sasl_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
  user_{self.sasl_user}="{self.sasl_password}";
log.dirs={self.folder}/logs
num.partitions={self.partitions}
auto.create.topics.enable=true
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
""")
        self.run(*self.java("kafka.tools.StorageTool", "format", "-t", "Y2hyb25vcy10ZXN0LTAwMQ", "-c",
                            str(self.folder / "server.properties")), cwd=self.folder)

    def command(self):
        return self.java("kafka.Kafka", str(self.folder / "server.properties"))

    def ready(self):
        return base.port_open(self.port)

    def env(self):
        return {"CHRONOS_TEST_KAFKA": self.brokers}

