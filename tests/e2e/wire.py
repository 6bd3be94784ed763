# SPDX-License-Identifier: Apache-2.0
"""A TCP relay between nodes and their database: slow and unsteady on demand, and with another end when the database moves."""
import asyncio
import contextlib
import random
import threading

CHUNK = 65536
LOST_MS = (200, 1200)  # what a lost packet costs: TCP sends it again after such a time


class Wire:
    """delay_ms, spread_ms: of every chunk, each way. loss: the share of chunks that come as late as if they had been lost and sent
    again; TCP hands nothing over out of order, so what follows waits too."""

    def __init__(self, port, seed=None):
        self.upstream, self.delay_ms, self.spread_ms, self.loss = port, 0, 0, 0
        self.chance = random.Random(seed)
        self.loop = asyncio.new_event_loop()
        self.tasks, self.port = set(), None
        self.thread = threading.Thread(target=self._main, daemon=True)
        self.up = threading.Event()

    def start(self):
        self.thread.start()
        assert self.up.wait(10), "the relay does not start"
        return self

    def _main(self):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self.up.set()
        self.loop.run_forever()

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        other = None
        try:
            far, other = await asyncio.open_connection("127.0.0.1", self.upstream)
            await asyncio.gather(self._pump(reader, other), self._pump(far, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self.tasks.discard(task)
            for end in (writer, other):
                if end:
                    with contextlib.suppress(OSError):
                        end.transport.abort()

    async def _pump(self, reader, writer):
        while data := await reader.read(CHUNK):
            wait = self.delay_ms + self.chance.uniform(-self.spread_ms, self.spread_ms)
            if self.chance.random() < self.loss:
                wait += self.chance.uniform(*LOST_MS)
            if wait > 0:
                await asyncio.sleep(wait / 1000)
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError  # one end has gone: the other one is told

    def move(self, port):
        """From now on connections go there; those that are open break."""
        def moved():
            self.upstream = port
            for task in self.tasks:
                task.cancel()
        self.loop.call_soon_threadsafe(moved)

    def close(self):
        self.move(0)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
