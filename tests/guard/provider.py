# SPDX-License-Identifier: Apache-2.0
"""An OpenID provider with keys of its own that says whatever a test wants it to say, a browser that follows it, and the
real provider `oidc-provider` from npm."""
import base64
import hashlib
import http.server
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from chronos import ROOT, SLOW, free_port, wait_until

CLIENT, SECRET = "chronos", "a secret: 100% ours/+"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*args, stdin=None):
    return subprocess.run(["openssl", *args], input=stdin, check=True, capture_output=True).stdout


class Key:
    """A key of the openssl command line: RSA, EC (P-256) or Ed25519."""

    ways = {"RSA": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "EC": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            "OKP": ["ED25519"]}

    def __init__(self, folder, kid, kty="RSA"):
        folder.mkdir(parents=True, exist_ok=True)
        self.kid, self.kty, self.path = kid, kty, str(folder / f"{kid}.pem")
        openssl("genpkey", "-algorithm", *self.ways[kty], "-out", self.path)

    def jwk(self, **more):
        if self.kty == "RSA":
            text = openssl("rsa", "-in", self.path, "-noout", "-modulus").decode().strip().split("=")[1]
            found = {"n": b64(bytes.fromhex(text)), "e": "AQAB"}
        else:
            der = openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")
            found = {"crv": "Ed25519", "x": b64(der[-32:])} if self.kty == "OKP" else \
                {"crv": "P-256", "x": b64(der[-64:-32]), "y": b64(der[-32:])}
        return {"kty": self.kty, "kid": self.kid, "use": "sig", **found, **more}

    def sign(self, alg, data):
        if alg == "EdDSA":
            raw = pathlib.Path(self.path + ".in")
            raw.write_bytes(data)
            return openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.path, "-in", str(raw))
        pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1"] if alg.startswith("PS") else []
        signature = openssl("dgst", f"-sha{alg[2:]}", "-sign", self.path, *pss, stdin=data)
        return der_to_raw(signature) if alg == "ES256" else signature


def der_to_raw(der):
    """An ECDSA signature as JWS wants it: r and s, 32 bytes each."""
    numbers, at = [], 2
    for _ in range(2):
        size = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2:at + 2 + size], "big").to_bytes(32, "big"))
        at += 2 + size
    return b"".join(numbers)


def token(key, claims, alg="RS256", header=None, signature=None):
    head = {"alg": alg, "kid": key.kid} if header is None else header
    text = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}"
    made = key.sign(alg, text.encode()) if signature is None else signature
    return f"{text}.{b64(made)}"


class Fake:
    """Answers on loopback. Tests change its members: keys, shown, claims, header, alg, forge, iss…"""

    def __init__(self, folder):
        self.key = Key(folder, "first")
        self.shown = [self.key.jwk()]
        self.claims, self.alg, self.header = {}, "RS256", None
        self.forge = None          # (provider, claims) → ID token
        self.subject, self.groups = "user-1", ["staff"]
        self.email, self.verified = "eva@example.org", True
        self.codes, self.asked, self.forms = {}, [], []
        self.once, self.broken, self.issuer_param = True, None, None
        self.lock = threading.Lock()
        handler = type("Handler", (Handler,), {"provider": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def settings(self, port, **more):
        return dict({"CHRONOS_OIDC_ISSUER": self.issuer, "CHRONOS_OIDC_CLIENTID": CLIENT,
                     "CHRONOS_OIDC_CLIENTSECRET": SECRET, "CHRONOS_OIDC_ROLEMAP": "staff=USER, ops=OPERATOR, chiefs=ADMIN",
                     "CHRONOS_OIDC_REDIRECTURL": f"http://127.0.0.1:{port}/api/v1/auth/oidc/callback"}, **more)

    def id_token(self, nonce):
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": self.subject, "iat": now, "exp": now + 300, "nonce": nonce,
                  "email": self.email, "email_verified": self.verified, "groups": self.groups, **self.claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.forge:
            return self.forge(self, claims)
        return token(self.key, claims, self.alg, self.header)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider = None

    def log_message(self, *args):
        pass

    def answer(self, status, body=None, location=None):
        data = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        p, url = self.provider, urllib.parse.urlsplit(self.path)
        p.asked.append(url.path)
        if p.broken == url.path:
            return self.answer(500, {})
        if url.path == "/.well-known/openid-configuration":
            return self.answer(200, {"issuer": p.issuer, "authorization_endpoint": p.issuer + "/authorize?x=1",
                                     "token_endpoint": p.issuer + "/token", "jwks_uri": p.issuer + "/keys"})
        if url.path == "/keys":
            return self.answer(200, {"keys": p.shown})
        if url.path == "/authorize":
            query = dict(urllib.parse.parse_qsl(url.query))
            code = secrets.token_urlsafe(16)
            p.codes[code] = query
            back = {"code": code, "state": query["state"], "session_state": "what Keycloak adds"}
            if p.issuer_param:
                back["iss"] = p.issuer_param
            return self.answer(302, location=query["redirect_uri"] + "?" + urllib.parse.urlencode(back))
        return self.answer(404, {})

    def do_POST(self):
        p = self.provider
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        p.asked.append(self.path)
        p.forms.append(form)
        if p.broken == self.path:
            return self.answer(500, {})
        user, password = base64.b64decode(self.headers["Authorization"].split(" ")[1]).decode().split(":")
        known = (urllib.parse.unquote(user), urllib.parse.unquote(password)) == (CLIENT, SECRET)
        with p.lock:
            begun = p.codes.pop(form["code"], None) if p.once else p.codes.get(form["code"])
        challenge = b64(hashlib.sha256(form["code_verifier"].encode()).digest())
        good = begun and known and begun["code_challenge"] == challenge and begun["code_challenge_method"] == "S256" and \
            form["redirect_uri"] == begun["redirect_uri"] and form["grant_type"] == "authorization_code"
        if not good:
            return self.answer(400, {"error": "invalid_grant"})
        return self.answer(200, {"access_token": "x", "token_type": "Bearer", "id_token": p.id_token(begun["nonce"])})


class Page:
    def __init__(self, status, headers, body, url):
        self.status, self.headers, self.body, self.url = status, headers, body, url

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def location(self):
        return self.headers.get("Location")


class Browser:
    """Keeps cookies by host and port, follows redirects when told to, and sends what browsers send of themselves."""

    def __init__(self):
        self.cookies = {}

    def open(self, url, method="GET", form=None, headers=None, body=None):
        host = urllib.parse.urlsplit(url).netloc
        jar = self.cookies.setdefault(host, {})
        data = urllib.parse.urlencode(form).encode() if form is not None else body
        request = urllib.request.Request(url, data=data, method=method)
        if jar:
            request.add_header("Cookie", "; ".join(f"{name}={value}" for name, value in jar.items()))
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        opener = urllib.request.build_opener(NoRedirect)
        try:
            answer = opener.open(request, timeout=30 * SLOW)
        except urllib.error.HTTPError as error:
            answer = error
        page = Page(answer.status, answer.headers, answer.read(), url)
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, value = line.split(";")[0].split("=", 1)
            if value and "expires=thu, 01 jan 1970" not in line.lower():
                jar[name] = value
            else:
                jar.pop(name, None)
        return page

    def follow(self, url, until=lambda page: False, steps=12):
        for _ in range(steps):
            page = self.open(url)
            if page.status not in (302, 303) or until(page):
                return page
            url = urllib.parse.urljoin(url, page.location)
        raise AssertionError("too many redirects")


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


REAL = """
import {{ Provider }} from 'oidc-provider';
const users = JSON.parse(process.env.USERS);
const provider = new Provider(process.env.ISSUER, {{
  clients: [{{ client_id: '{client}', client_secret: process.env.SECRET, redirect_uris: [process.env.REDIRECT],
              response_types: ['code'], grant_types: ['authorization_code'], token_endpoint_auth_method: process.env.METHOD }}],
  pkce: {{ required: () => true }},
  conformIdTokenClaims: false,
  claims: {{ openid: ['sub', 'groups'], email: ['email', 'email_verified'], profile: ['name'] }},
  findAccount: (ctx, id) => ({{ accountId: id, claims: () => ({{ sub: id, ...users[id] }}) }}),
}});
provider.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('listening'));
"""


class Real:
    """`oidc-provider` run by node, with its own sign-in pages."""

    def __init__(self, folder, modules):
        self.folder, self.modules, self.port = folder, modules, free_port()
        self.issuer, self.process = f"http://127.0.0.1:{self.port}", None

    def start(self, redirect, users, method="client_secret_basic"):
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "package.json").write_text('{"type": "module"}')
        (self.folder / "provider.js").write_text(REAL.format(client=CLIENT))
        if not (self.folder / "node_modules").exists():
            (self.folder / "node_modules").symlink_to(self.modules)
        env = dict(os.environ, ISSUER=self.issuer, PORT=str(self.port), SECRET=SECRET, REDIRECT=redirect, METHOD=method,
                   USERS=json.dumps(users), NODE_NO_WARNINGS="1")
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(["node", "provider.js"], cwd=self.folder, env=env, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        wait_until(lambda: self.process.poll() is not None or "listening" in self.log(), what="oidc-provider")
        assert self.process.poll() is None, self.log()
        return self

    def log(self):
        return (self.folder / "log").read_text()

    def stop(self):
        self.process.terminate()
        self.process.wait()


def npm_modules():
    """The folder with oidc-provider, installed once below build/; None and the reason when it cannot be had."""
    folder = ROOT / "build/npm-oidc"
    if not shutil.which("npm") or not shutil.which("node"):
        return None, "npm and node are not installed"
    if not (folder / "node_modules/oidc-provider/package.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text("{}")
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", "oidc-provider@9"],
                              cwd=folder, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            return None, "npm cannot install oidc-provider: " + (done.stderr or done.stdout).strip()[-200:]
    return folder / "node_modules", ""
