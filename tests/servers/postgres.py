# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL of the distribution: a cluster of its own, UTF-8, everything flushed, passwords asked for over TCP."""
import contextlib
import os
import pathlib
import signal
import subprocess

import base

USER, PASSWORD, NAME = "chronos", "pass word/1", "chronos"


def binaries():
    """The newest installed version."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    assert found, "PostgreSQL is not installed: tools/setup.sh installs it"
    return found[-1].parent


class Server(base.Server):
    users = ("postgres", "nobody")
    stop_signal = signal.SIGINT  # does not wait for clients

    def __init__(self, folder=None, settings=()):
        super().__init__(folder)
        self.bin = binaries()
        self.data = self.folder / "data"
        self.sockets = self.folder / "sockets"
        self.settings = settings  # ("name=value", …)

    def prepare(self):
        self.sockets.mkdir()
        secret = self.folder / "password"
        secret.write_text(PASSWORD + "\n")
        secret.chmod(0o600)
        if self.user:
            for path in (self.sockets, secret):
                os.chown(path, self.user.pw_uid, self.user.pw_gid)
        self.run(self.bin / "initdb", "-D", self.data, "-U", USER, "--pwfile", secret, "-E", "UTF8", "--locale=C.UTF-8",
                 "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", cwd=self.folder)
        secret.unlink()

    def command(self):
        named = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.sockets,
                 "max_connections": 100, "shared_buffers": "64MB", "log_min_messages": "warning",
                 "log_checkpoints": "off", "deadlock_timeout": "100ms"}
        settings = [f"{k}={v}" for k, v in named.items()] + list(self.settings)
        return [self.bin / "postgres", "-D", self.data, *(x for s in settings for x in ("-c", s))]

    def ready(self):
        if subprocess.run([self.bin / "pg_isready", "-q", "-h", self.sockets, "-p", str(self.port)]).returncode != 0:
            return False
        if self.sql(f"SELECT 1 FROM pg_database WHERE datname = '{NAME}'").strip() == "":
            self.sql(f"CREATE DATABASE {NAME}")
        return True

    def sql(self, text, name="postgres"):
        """Runs statements as the administrator; the answer without ornament."""
        return self.run(self.bin / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.sockets, "-p",
                        str(self.port), "-U", USER, "-d", name, "-c", text, text=True, cwd=self.folder).stdout

    def restart(self):
        self.stop()
        return self.start()

    def kill(self):
        """As if the machine had lost power for a moment: nobody of the server says good-bye."""
        children = self._children() if self.process else []
        super().kill()
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            base.wait_until(lambda pid=pid: not pathlib.Path(f"/proc/{pid}").exists(), 10, f"end of process {pid}")

    def _children(self):
        found = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                if int(stat.read_text().rpartition(")")[2].split()[1]) == self.process.pid:
                    found.append(int(stat.parent.name))
        return found

    def url(self, name=NAME):
        return f"postgresql://{USER}:pass%20word%2F1@127.0.0.1:{self.port}/{name}"

    def env(self):
        return {"CHRONOS_TEST_DB_URL": self.url()}
