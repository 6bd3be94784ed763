# SPDX-License-Identifier: Apache-2.0
"""Three MariaDB servers as one Galera cluster on loopback. A change is certified by all of them when it commits."""
import os
import pathlib
import shutil
import signal
import tempfile

import base
import mariadb

PROVIDERS = ("/usr/lib/galera/libgalera_smm.so", "/usr/lib64/galera-4/libgalera_smm.so")
SIZE = 3


class Node(mariadb.Server):
    """One of them. The cluster decides whom it joins."""

    def __init__(self, folder, cluster):
        super().__init__(folder)
        self.cluster = cluster
        self.group_port, self.ist_port, self.sst_port = (base.free_port() for _ in range(3))
        self.bootstraps = False

    def prepare(self):
        if self.bootstraps:
            super().prepare()
            return
        # The others are sent a copy of everything, users too.
        self.data.mkdir(exist_ok=True)
        if self.user:
            os.chown(self.data, self.user.pw_uid, self.user.pw_gid)
        (self.folder / "init.sql").touch()

    def command(self):
        peers = ",".join(f"127.0.0.1:{n.group_port}" for n in self.cluster.nodes)
        provider = {"base_port": self.group_port, "gmcast.listen_addr": f"tcp://127.0.0.1:{self.group_port}",
                    "ist.recv_addr": f"127.0.0.1:{self.ist_port}", "ist.recv_bind": f"127.0.0.1:{self.ist_port}",
                    "gcache.size": "16M", "evs.keepalive_period": "PT0.5S",
                    "evs.inactive_check_period": "PT0.5S", "evs.suspect_timeout": "PT2S", "evs.inactive_timeout": "PT4S"}
        return [*self.common(), "--wsrep-on=ON", f"--wsrep-provider={provider_path()}", "--wsrep-cluster-name=chronos",
                f"--wsrep-node-name=n{self.port}", f"--wsrep-node-address=127.0.0.1:{self.group_port}",
                "--wsrep-provider-options=" + ";".join(f"{name}={value}" for name, value in provider.items()),
                "--wsrep-sst-method=rsync", f"--wsrep-sst-receive-address=127.0.0.1:{self.sst_port}",
                "--binlog-format=ROW", "--innodb-autoinc-lock-mode=2", f"--wsrep-cluster-address=gcomm://{peers}",
                *(["--wsrep-new-cluster"] if self.bootstraps else [])]

    def status(self, name):
        """A wsrep_… status, or None while nobody answers."""
        try:
            rows = self.sql(f"SHOW GLOBAL STATUS LIKE '{name}'", "mysql")
        except RuntimeError:
            return None
        return rows[0][1] if rows else None

    def ready(self):
        return super().ready() and self.status("wsrep_local_state_comment") == "Synced"


class Server:
    """nodes: all of them, the first is where a test with one address writes."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="chronos-test-"))
        self.folder.chmod(0o755)
        self.nodes = []
        self.nodes += [Node(self.folder / f"node{i}", self) for i in range(SIZE)]

    @property
    def urls(self):
        return [n.url() for n in self.nodes]

    def start(self):
        """Starts those that do not run; the first of all founds the cluster."""
        try:
            for n in self.nodes:
                if not n.process:
                    n.bootstraps = not any(other.process for other in self.nodes)
                    n.start()
            base.wait_until(self.complete, base.START_SECONDS, "a cluster of three")
        except BaseException:
            self.close()
            raise
        return self

    def complete(self):
        return all(n.status("wsrep_cluster_size") == str(SIZE) and n.ready() for n in self.nodes)

    def env(self):
        return {**self.nodes[0].env(), "CHRONOS_TEST_DB_URLS": " ".join(self.urls)}

    def end(self, number):
        for n in reversed(self.nodes):
            n.end(number)

    def stop(self):
        self.end(signal.SIGTERM)

    def kill(self):
        self.end(signal.SIGKILL)

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *unused):
        self.close()


def provider_path():
    for path in PROVIDERS:
        if os.path.exists(path):
            return path
    raise FileNotFoundError("the Galera library is not installed: install the package galera-4")
