# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL that speaks TLS, with a certificate of its own for 127.0.0.1."""
import shutil

import postgres


class Server(postgres.Server):
    def __init__(self, folder=None):
        super().__init__(folder, settings=("ssl=on",))
        self.ca = self.folder / "ca.crt"

    def prepare(self):
        super().prepare()
        self.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-keyout", self.data / "server.key", "-out", self.data / "server.crt", "-days", "30",
                 "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", cwd=self.folder)
        shutil.copy(self.data / "server.crt", self.ca)

    def env(self):
        return {**super().env(), "CHRONOS_TEST_DB_CA": str(self.ca)}
