# SPDX-License-Identifier: Apache-2.0
"""A MariaDB server for tests: durable as in production, one database "chronos" and one user with a password."""
import base
import pathlib
import shutil
import subprocess

DATABASE, USER, PASSWORD = "chronos", "chronos", "p@ss/word"
# As the password stands in an address.
PASSWORD_QUOTED = "p%40ss%2Fword"

# Run at every start, so all of it may be there already.
INIT_SQL = f"""\
CREATE DATABASE IF NOT EXISTS {DATABASE} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE USER IF NOT EXISTS {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';
CREATE USER IF NOT EXISTS {USER}@'localhost' IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON {DATABASE}.* TO {USER}@'127.0.0.1';
GRANT ALL ON {DATABASE}.* TO {USER}@'localhost';
"""


class Server(base.Server):
    """memory: of the buffer pool, as the server's option takes it. tls: offers it, with a certificate of its own
    authority (folder / "ca.pem") for 127.0.0.1. options: more of the server's, "--name=value"."""

    users = ("mysql",)

    def __init__(self, folder=None, memory="64M", tls=False, options=()):
        super().__init__(folder)
        self.memory, self.tls, self.options = memory, tls, list(options)
        self.data = self.folder / "data"
        self.socket = self.folder / "mysqld.sock"

    def prepare(self):
        if self.data.exists():
            return
        # Without a buffer pool of gigabytes and with the smallest log it takes two seconds.
        self.run("mariadb-install-db", "--no-defaults", f"--datadir={self.data}", "--skip-test-db",
                 "--skip-name-resolve", "--auth-root-authentication-method=normal", "--innodb-log-file-size=16M",
                 "--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", "--innodb-doublewrite=0",
                 f"--tmpdir={self.folder}", *(["--user=mysql"] if self.user else []))
        (self.folder / "init.sql").write_text(INIT_SQL)
        if self.tls:
            self.make_certificates()

    def make_certificates(self):
        def openssl(*words):
            subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=self.folder)

        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=chronos test authority")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "server.key",
                "-out", "server.csr", "-subj", "/CN=127.0.0.1")
        (self.folder / "server.ext").write_text("subjectAltName=IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                "2", "-extfile", "server.ext", "-out", "server.pem")
        for path in self.folder.glob("server.*"):
            if self.user:
                shutil.chown(path, self.user.pw_uid, self.user.pw_gid)

    def common(self):
        """What every server of ours is told, a node of a cluster too."""
        tls = [f"--ssl-ca={self.folder}/ca.pem", f"--ssl-cert={self.folder}/server.pem",
               f"--ssl-key={self.folder}/server.key"] if self.tls else ["--skip-ssl"]
        return [mariadbd(), "--no-defaults", f"--datadir={self.data}", f"--socket={self.socket}",
                f"--port={self.port}", "--bind-address=127.0.0.1", f"--pid-file={self.folder}/mysqld.pid",
                f"--tmpdir={self.folder}", f"--init-file={self.folder}/init.sql", "--skip-name-resolve",
                f"--innodb-buffer-pool-size={self.memory}", "--innodb-log-file-size=96M",
                "--innodb-flush-log-at-trx-commit=1", "--innodb-doublewrite=1", "--max-connections=200",
                "--character-set-server=utf8mb4", "--collation-server=utf8mb4_bin", *tls]

    def command(self):
        return [*self.common(), "--skip-log-bin", *self.options]

    def ready(self):
        return self.socket.exists() and base.port_open(self.port)

    def url(self, scheme="mysql", **options):
        tail = "&".join(f"{name}={value}" for name, value in options.items())
        return f"{scheme}://{USER}:{PASSWORD_QUOTED}@127.0.0.1:{self.port}/{DATABASE}" + (f"?{tail}" if tail else "")

    def socket_url(self):
        folder = str(self.socket).replace("/", "%2F")
        return f"mysql://{USER}:{PASSWORD_QUOTED}@{folder}/{DATABASE}"

    def env(self):
        return {"CHRONOS_TEST_DB_URL": self.url(), "CHRONOS_TEST_DB_SOCKET_URL": self.socket_url()}

    def sql(self, text, database=DATABASE):
        """Runs statements as root; rows as lists of texts."""
        out = subprocess.run(["mariadb", "--no-defaults", f"--socket={self.socket}", "--user=root", "--batch",
                              "--skip-column-names", database, "-e", text], capture_output=True, text=True)
        if out.returncode:
            raise RuntimeError(out.stderr)
        return [line.split("\t") for line in out.stdout.splitlines()]


def mariadbd():
    found = shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    return str(pathlib.Path(found)) if found else "mariadbd"
