# SPDX-License-Identifier: Apache-2.0
"""One Prometheus Alertmanager without peers, for channels of notifications."""
import json
import urllib.request

import base


class Server(base.Server):
    def prepare(self):
        (self.folder / "alertmanager.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")

    def command(self):
        return ["prometheus-alertmanager", f"--config.file={self.folder}/alertmanager.yml", f"--storage.path={self.folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address="]

    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def ready(self):
        try:
            with urllib.request.urlopen(self.url() + "/-/ready", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False

    def alerts(self):
        with urllib.request.urlopen(self.url() + "/api/v2/alerts?active=true", timeout=5) as answer:
            return json.load(answer)
