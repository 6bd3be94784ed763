# SPDX-License-Identifier: Apache-2.0
"""The MariaDB server of the tests with TLS, under an authority that only the test knows."""
import mariadb


class Server(mariadb.Server):
    def __init__(self, folder=None):
        super().__init__(folder, tls=True)

    def env(self):
        return {**super().env(), "CHRONOS_TEST_DB_CA": str(self.folder / "ca.pem")}
