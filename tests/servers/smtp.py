# SPDX-License-Identifier: Apache-2.0
"""A real SMTP server (aiosmtpd) in a process of its own; every message it takes becomes a file.

Modes: plain, starttls (must be used), smtps, auth (starttls and a password), slow (never answers DATA), closing (hangs up
after the greeting). Recipients that begin with "nobody" are refused with 550, messages with "refuse-me" in them with 554.
"""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import base

USER, PASSWORD = "chronos", "mail canary 4711"


class Server(base.Server):
    def __init__(self, mode="plain", folder=None):
        super().__init__(folder)
        self.mode = mode

    @property
    def certificate(self):
        return self.folder / "cert.pem"

    def prepare(self):
        self.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                 "-keyout", str(self.folder / "key.pem"), "-out", str(self.certificate))

    def command(self):
        return ["/usr/bin/python3", os.path.abspath(__file__), self.mode, str(self.port), str(self.folder)]

    def env(self):
        return {"CHRONOS_TEST_SMTP": self.url()}

    def url(self, **options):
        scheme = "smtps" if self.mode == "smtps" else "smtp"
        if self.mode in ("starttls", "smtps", "auth"):
            options.setdefault("cafile", str(self.certificate))
        query = "&".join(f"{key}={value}" for key, value in options.items())
        return f"{scheme}://localhost:{self.port}" + (f"?{query}" if query else "")

    def messages(self):
        """(envelope, bytes) of everything taken, in order."""
        found = []
        for path in sorted(self.folder.glob("*.eml"), key=lambda p: int(p.stem)):
            found.append((json.loads(path.with_suffix(".json").read_text()), path.read_bytes()))
        return found

    def conversations(self):
        """How many DATA commands were begun."""
        path = self.folder / "data"
        return len(path.read_text().splitlines()) if path.exists() else 0


# ---- the process ----

def serve(mode, port, folder):
    import asyncio
    import ssl
    from aiosmtpd.smtp import SMTP, AuthResult

    class Handler:
        taken = 0

        async def handle_RCPT(self, server, session, envelope, address, options):
            if address.startswith("nobody"):
                return "550 5.1.1 no such mailbox"
            envelope.rcpt_tos.append(address)
            return "250 OK"

        async def handle_DATA(self, server, session, envelope):
            with open(f"{folder}/data", "a") as log:
                log.write("DATA\n")
            if mode == "slow":
                await asyncio.sleep(3600)
            if b"refuse-me" in envelope.content:
                return "554 5.7.1 this is refused"
            self.taken += 1
            name = f"{folder}/{self.taken}"
            with open(name + ".json", "w") as out:
                json.dump({"from": envelope.mail_from, "to": envelope.rcpt_tos, "helo": session.host_name,
                           "tls": mode == "smtps" or session.ssl is not None, "signed_in": bool(session.authenticated)}, out)
            with open(name + ".part", "wb") as out:
                out.write(envelope.content)
            os.rename(name + ".part", name + ".eml")
            return "250 OK"

    def sign_in(server, session, envelope, mechanism, data):
        good = data.login.decode() == USER and data.password.decode() == PASSWORD
        return AuthResult(success=good, handled=False)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
    handler = Handler()
    options = {"data_size_limit": 100 * 1024 * 1024, "hostname": "test"}
    if mode in ("starttls", "auth"):
        options.update(tls_context=context, require_starttls=True)
    if mode == "auth":
        options.update(auth_required=True, authenticator=sign_in)

    async def close_at_once(reader, writer):
        writer.write(b"220 test\r\n")
        await reader.readline()
        writer.close()

    async def main():
        loop = asyncio.get_running_loop()
        if mode == "closing":
            server = await asyncio.start_server(close_at_once, "127.0.0.1", port)
        else:
            server = await loop.create_server(lambda: SMTP(handler, **options), "127.0.0.1", port,
                                              ssl=context if mode == "smtps" else None)
        async with server:
            await server.serve_forever()

    asyncio.run(main())


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3])
