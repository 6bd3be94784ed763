# SPDX-License-Identifier: Apache-2.0
"""A Redis server that keeps nothing unless told to, with a user who may do no more than Chronos needs."""
import os
import socket
import subprocess

import base

USER, PASSWORD, ADMIN = "chronos", "s3cret/with:signs", "admin-of-the-test"
URL_PASSWORD = "s3cret%2Fwith%3Asigns"
# What docs/how-to/redis.md tells to grant.
RIGHTS = ("~chronos:* &chronos:* -@all +eval +get +set +del +hgetall +hdel +hincrby +pexpire +time +info +ping "
          "+select +publish +subscribe")


class Server(base.Server):
    def prepare(self):
        config = self.folder / "redis.conf"
        config.touch(0o600)
        config.write_text(f"""bind 127.0.0.1
port {self.port}
dir {self.folder}
save ""
appendonly no
user default on >{ADMIN} ~* &* +@all
user {USER} on >{PASSWORD} {RIGHTS}
""")

    def command(self):
        return ["redis-server", str(self.folder / "redis.conf")]

    def ready(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as s:
                s.settimeout(1)
                s.sendall(b"PING\r\n")
                return s.recv(64).startswith(b"-NOAUTH")
        except OSError:
            return False

    @property
    def url(self):
        return f"redis://{USER}:{URL_PASSWORD}@127.0.0.1:{self.port}/0"

    def env(self):
        return {"CHRONOS_TEST_REDIS": self.url}

    def ask(self, *words):
        """One command as administrator; what redis-cli prints."""
        return subprocess.run(["redis-cli", "-p", str(self.port), "--no-auth-warning", "--raw", *words], check=True,
                              capture_output=True, text=True, timeout=60,
                              env={**os.environ, "REDISCLI_AUTH": ADMIN}).stdout.strip()
