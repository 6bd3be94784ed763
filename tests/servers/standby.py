# SPDX-License-Identifier: Apache-2.0
"""Two PostgreSQL servers, one a synchronous standby of the other: what is committed on the primary is on both."""
import shutil

import base
import postgres


class Follower(postgres.Server):
    """A copy of a running primary that follows it."""

    def __init__(self, primary):
        super().__init__()
        self.primary = primary

    def prepare(self):
        self.sockets.mkdir()
        if self.user:
            shutil.chown(self.sockets, self.user.pw_uid, self.user.pw_gid)
        self.run(self.bin / "pg_basebackup", "-h", self.primary.sockets, "-p", str(self.primary.port), "-U", postgres.USER, "-D",
                 self.data, "-X", "stream", "-R", "-c", "fast", "--no-sync", cwd=self.folder)

    def ready(self):
        return self.run_quietly("SELECT pg_is_in_recovery()") != ""

    def run_quietly(self, text):
        try:
            return self.sql(text).strip()
        except Exception:  # not up yet
            return ""


class Pair:
    """The server that is the primary now, as tests see a server; fail_over makes it another one."""

    def __init__(self):
        self.primary, self.standby = postgres.Server(), None

    def start(self):
        self.primary.start()
        self.rebuild()
        return self

    def rebuild(self):
        """A new standby of the present primary. Commits wait for it from now on."""
        self.standby = Follower(self.primary).start()
        self.primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.primary.sql("SELECT pg_reload_conf()")
        base.wait_until(lambda: self.primary.sql("SELECT sync_state FROM pg_stat_replication").strip() == "sync", 30,
                        "a synchronous standby")

    def fail_over(self):
        """The primary dies at once; the standby takes over."""
        self.primary.kill()
        self.primary.close()
        self.primary, self.standby = self.standby, None
        # Alone it would wait for ever for the standby that it was itself.
        self.primary.sql("ALTER SYSTEM SET synchronous_standby_names = ''")
        self.primary.sql("SELECT pg_promote()")
        base.wait_until(lambda: self.primary.sql("SELECT pg_is_in_recovery()").strip() == "f", 30, "the end of recovery")

    @property
    def port(self):
        return self.primary.port

    def env(self):
        return self.primary.env()

    def close(self):
        for server in (self.primary, self.standby):
            if server:
                server.close()
