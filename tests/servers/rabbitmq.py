# SPDX-License-Identifier: Apache-2.0
"""A real RabbitMQ with its own node name, data, ports and port mapper, and its management interface as a witness."""
import base64
import json
import os
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import base

HOME = "/usr/lib/rabbitmq/bin"
USER, PASSWORD = "chronos", "s3cret/with:signs"


class Server(base.Server):
    stop_signal = signal.SIGKILL  # nothing of it is kept

    def __init__(self, folder=None):
        super().__init__(folder)
        self.mapper = None
        self.mapper_port, self.between_nodes, self.witness_port = base.free_port(), base.free_port(), base.free_port()
        self.tls_port = base.free_port()

    @property
    def authority(self):
        return self.folder / "ca.pem"

    def make_certificates(self):
        def openssl(*words):
            subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=self.folder)

        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem")
        openssl("req", *key, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
        (self.folder / "names").write_text("subjectAltName=DNS:localhost\n")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", "names", "-out", "server.pem")

    def prepare(self):
        self.make_certificates()
        config = self.folder / "rabbitmq.conf"
        config.touch(0o600)
        config.write_text(f"""listeners.tcp.1 = 127.0.0.1:{self.port}
listeners.ssl.1 = 127.0.0.1:{self.tls_port}
ssl_options.cacertfile = {self.authority}
ssl_options.certfile = {self.folder}/server.pem
ssl_options.keyfile = {self.folder}/server.key
ssl_options.verify = verify_none
management.tcp.ip = 127.0.0.1
management.tcp.port = {self.witness_port}
default_user = {USER}
default_pass = {PASSWORD}
log.console = true
log.console.level = warning
disk_free_limit.absolute = 10MB
vm_memory_high_watermark.absolute = 1GB
""")
        (self.folder / "plugins").write_text("[rabbitmq_management].\n")

    def environment(self):
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "ERL_EPMD_PORT": str(self.mapper_port),
                "RUNNING_UNDER_SYSTEMD": "1",  # the script becomes the server instead of waiting for it
                "RABBITMQ_NODENAME": f"test{self.port}@localhost", "RABBITMQ_DIST_PORT": str(self.between_nodes),
                "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"), "RABBITMQ_CONF_ENV_FILE": "/dev/null",
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
                "RABBITMQ_MNESIA_BASE": str(self.folder / "data"), "RABBITMQ_LOG_BASE": str(self.folder / "log"),
                "RABBITMQ_PID_FILE": str(self.folder / "pid"), "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
                "LANG": "C.UTF-8"}

    def command(self):
        words = [f"{key}={value}" for key, value in self.environment().items()]
        return ["env", "-i", *words, f"{HOME}/rabbitmq-server"]

    def start(self):
        # Erlang would leave a port mapper behind; one that is there already it uses.
        self.mapper = subprocess.Popen(["epmd", "-address", "127.0.0.1", "-port", str(self.mapper_port)],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        base.wait_until(lambda: base.port_open(self.mapper_port), base.START_SECONDS, "the port mapper")
        return super().start()

    def end(self, number):
        super().end(number)
        if self.mapper:
            self.mapper.kill()
            self.mapper.wait()
            self.mapper = None

    def ready(self):
        if not base.port_open(self.port):
            return False
        try:
            return self.ask("GET", "overview") is not None
        except (OSError, urllib.error.URLError):
            return False

    def env(self):
        return {"CHRONOS_TEST_RABBITMQ": f"127.0.0.1:{self.port}", "CHRONOS_TEST_RABBITMQ_USER": USER,
                "CHRONOS_TEST_RABBITMQ_PASSWORD": PASSWORD}

    # -- the witness
    def ask(self, method, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.witness_port}/api/{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode())
        request.add_header("Authorization", "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode())
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else {}

    def declare(self, queue, **arguments):
        self.ask("PUT", f"queues/%2F/{urllib.parse.quote(queue, '')}", {"durable": True, "arguments": arguments})

    def put(self, queue, body, **properties):
        return self.ask("POST", "exchanges/%2F/amq.default/publish",
                        {"properties": properties, "routing_key": queue, "payload": body, "payload_encoding": "string"})

    def look(self, queue, count=100):
        """The messages that wait in the queue, which stay there."""
        return self.ask("POST", f"queues/%2F/{urllib.parse.quote(queue, '')}/get",
                        {"count": count, "ackmode": "ack_requeue_true", "encoding": "auto"})
