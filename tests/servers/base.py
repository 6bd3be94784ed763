# SPDX-License-Identifier: Apache-2.0
"""Ground of the servers that tests start themselves: own folder, own free port, loopback only, ended by pid."""
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

SLOW = 10 if os.environ.get("CHRONOS_SANITIZED") else 1
START_SECONDS, STOP_SECONDS = 60, 30


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds * SLOW
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {seconds * SLOW} s")


def port_open(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def user_of(*names):
    """Servers that refuse to run as root run as the first of these users that exists; None: as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in names:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


class Server:
    """One process with a folder of its own. Subclasses say how to prepare the folder and what to run."""

    users = ()       # who may own the process when we are root
    stop_signal = signal.SIGTERM

    def __init__(self, folder=None):
        self.own_folder = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="chronos-test-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.user = user_of(*self.users)
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.folder.chmod(0o755)
        self.port = free_port()
        self.process = None
        self.prepared = False

    # -- for subclasses
    def prepare(self):
        """Makes the data folder, once."""

    def command(self):
        raise NotImplementedError

    def ready(self):
        return port_open(self.port)

    def env(self):
        """What a test program is told of this server."""
        return {}

    # -- for tests
    def run(self, *command, **more):
        """Runs a command to its end as the server's user."""
        return subprocess.run(command, check=True, capture_output=True, **self._identity(), **more)

    def start(self):
        if not self.prepared:
            self.prepare()
            self.prepared = True
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            cwd=self.folder, **self._identity())
        try:
            wait_until(self._up, START_SECONDS, f"start of {type(self).__name__}")
        except AssertionError:
            self.kill()
            raise AssertionError((self.folder / "server.log").read_text(errors="replace")[-4000:]) from None
        return self

    def _up(self):
        assert self.process.poll() is None, (self.folder / "server.log").read_text(errors="replace")[-4000:]
        return self.ready()

    def _identity(self):
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}

    def end(self, number):
        if self.process:
            self.process.send_signal(number)
            try:
                self.process.wait(STOP_SECONDS * SLOW)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def stop(self):
        self.end(self.stop_signal)

    def kill(self):
        self.end(signal.SIGKILL)

    def restart(self):
        self.stop()
        return self.start()

    def close(self):
        self.stop()
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *unused):
        self.close()
