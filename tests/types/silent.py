# SPDX-License-Identifier: Apache-2.0
"""A target that takes connections and never says a word, and one that is not there at all."""
import socket
import threading


class Silent:
    """Accepts and keeps every connection; `reached` is set by the first."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.reached = threading.Event()
        self.kept = []
        self.thread = threading.Thread(target=self.accept)
        self.thread.start()

    def accept(self):
        while True:
            try:
                self.kept.append(self.socket.accept()[0])
            except OSError:
                return
            self.reached.set()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()
        for one in self.kept:
            one.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()
