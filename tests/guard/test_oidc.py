# SPDX-License-Identifier: Apache-2.0
"""Sign-in by an OpenID provider: a real one from npm, and one with keys of its own that lies."""
import hashlib
import json
import os
import re
import subprocess
import urllib.parse

import pytest

from chronos import BINARY, Server, free_port
from provider import Browser, Fake, Key, Real, b64, npm_modules, openssl, token

LOGIN = "/api/v1/auth/oidc/login"


class World:
    """A server, a provider that the test owns, and what a browser does with both."""

    def __init__(self, folder, **settings):
        self.fake = Fake(folder / "provider")
        self.server = Server(folder / "server")
        self.server.settings.update(self.fake.settings(self.server.port, **settings))
        self.server.start()
        self.folder = folder

    def close(self):
        self.server.stop()
        self.fake.close()

    def sign_in(self, browser=None, path=LOGIN, change=None):
        """Follows the sign-in to its end. change: what becomes of the callback's parameters on the way."""
        browser = browser or Browser()
        page = browser.open(self.server.url + path)
        assert page.status == 302, page.body
        page = browser.open(page.location)
        url = page.location
        if change:
            head, query = url.split("?")
            url = head + "?" + urllib.parse.urlencode(change(dict(urllib.parse.parse_qsl(query))))
        page = browser.open(url)
        page.callback = url
        return browser, page

    def me(self, browser):
        return browser.open(self.server.url + "/api/v1/auth/me")

    def refused(self, status=(401, 403), **how):
        browser, page = self.sign_in(**how)
        assert page.status in status, (page.status, page.body)
        assert "chronos_session" not in str(browser.cookies), "a session in spite of all"
        assert self.me(browser).status == 401
        return page.json["detail"]


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


def test_a_sign_in_makes_an_account_and_a_session(world):
    browser, page = world.sign_in(path=LOGIN + "?return=/jobs%3Fx=1")
    assert page.status == 302 and page.location == "/jobs?x=1", page.body
    me = world.me(browser).json
    assert me["email"] == "eva@example.org" and me["roles"] == ["USER"]
    again = world.me(world.sign_in()[0]).json
    assert again["id"] == me["id"]
    form = world.fake.forms[0]
    assert len(form["code_verifier"]) >= 43 and "client_secret" not in form
    # No password opens it.
    for password in ("", "x", "null", "correct horse battery staple"):
        answer = world.server.call("POST", "/auth/login", {"email": me["email"], "password": password}, auth=False)
        assert answer.status in (400, 401)
    # Another subject with another address is another user, and the same subject with another address the same.
    world.fake.email = "eva.new@example.org"
    assert world.me(world.sign_in()[0]).json["id"] == me["id"]
    world.fake.subject, world.fake.email = "user-2", "bob@example.org"
    assert world.me(world.sign_in()[0]).json["id"] != me["id"]
    world.server.login()
    trail = world.server.call("GET", "/audit?action=session.login").json["content"]
    assert any("OpenID" in (r.get("detail") or "") for r in trail), trail


def test_roles_follow_the_groups(world):
    fake = world.fake
    first, _ = world.sign_in()
    fake.groups = ["ops", "chiefs", "unknown"]
    second, _ = world.sign_in()
    assert sorted(world.me(second).json["roles"]) == ["ADMIN", "OPERATOR"]
    assert sorted(world.me(first).json["roles"]) == ["ADMIN", "OPERATOR"]
    fake.groups = "staff"  # some send one text
    world.sign_in()
    assert world.me(first).json["roles"] == ["USER"]
    fake.groups = ["STAFF", "staff2", "staff=ADMIN", ""]
    assert "group" in world.refused(status=(403,))
    assert world.me(first).status == 401 and world.me(second).status == 401  # put out at once
    fake.groups = ["staff"]
    assert world.sign_in()[1].status == 302


def test_an_address_that_is_taken_is_not_taken_over(world):
    account = {"email": "eva@example.org", "password": "correct horse battery 7"}
    assert world.server.call("POST", "/auth/register", account, auth=False).status == 201
    assert "exists already" in world.refused(status=(409,))
    world.fake.email = "EVA@EXAMPLE.ORG"
    world.refused(status=(409,))
    world.fake.email, world.fake.verified = "new@example.org", False
    world.refused(status=(403,))
    world.fake.email = None
    world.refused(status=(403,))
    assert world.server.call("POST", "/auth/login", account, auth=False).status == 200


def test_a_verified_address_takes_over_when_the_setting_says_so(tmp_path):
    world = World(tmp_path, CHRONOS_OIDC_LINKVERIFIEDEMAIL="true")
    try:
        account = {"email": "eva@example.org", "password": "correct horse battery 7"}
        made = world.server.call("POST", "/auth/register", account, auth=False).json
        for doubt in (False, None, "false", 1):
            world.fake.verified = doubt
            world.refused(status=(403, 409))
        world.fake.verified = True
        browser, _ = world.sign_in()
        assert world.me(browser).json["id"] == made["id"]
        # Who made the account with a password, perhaps somebody else, knows nothing any more.
        assert world.server.call("POST", "/auth/login", account, auth=False).status == 401
        world.server.token = made["accessToken"]
        assert world.server.call("GET", "/auth/me").status == 401
        refresh = {"refreshToken": made["refreshToken"]}
        assert world.server.call("POST", "/auth/refresh", refresh, auth=False).status == 401
    finally:
        world.close()


@pytest.mark.parametrize("kty, alg", [("RSA", "PS256"), ("EC", "ES256"), ("OKP", "EdDSA")])
def test_other_kinds_of_keys(world, kty, alg):
    world.fake.key = Key(world.folder / "keys", "k", kty)
    world.fake.shown, world.fake.alg = [world.fake.key.jwk(alg=alg)], alg
    assert world.sign_in()[1].status == 302


def test_a_new_key_of_the_provider_is_fetched_but_not_for_ever(world):
    fake = world.fake
    assert world.sign_in()[1].status == 302
    fake.key = Key(world.folder / "keys", "second")
    fake.shown = [fake.key.jwk()]
    assert world.sign_in()[1].status == 302
    fake.header = {"alg": "RS256", "kid": "made-up"}
    asked = fake.asked.count("/keys")
    for _ in range(12):
        world.refused()
    assert fake.asked.count("/keys") - asked <= 6
    fake.header = None
    assert world.sign_in()[1].status == 302
    assert fake.asked.count("/.well-known/openid-configuration") == 1


def lies(folder):
    """(what, function of provider and claims → ID token)"""
    stranger = Key(folder / "lies", "first")
    for name, values in {
        "nonce": ["other", None, ""], "aud": ["other", [], ["other"], None, ["chronos", "other"]],
        "iss": ["https://evil.example", None], "sub": [None, "", 7], "azp": ["other"], "exp": [1, None, "x"],
        "iat": [1, None, 4102444800], "nbf": [4102444800],
    }.items():
        for value in values:
            def wrong(p, claims, name=name, value=value):
                changed = {**claims, name: value}
                return token(p.key, {k: v for k, v in changed.items() if v is not None})
            yield f"{name} {value!r}", wrong
    yield "a stranger's key", lambda p, claims: token(stranger, claims)
    yield "a stranger's key in the header", lambda p, claims: token(
        stranger, claims, header={"alg": "RS256", "kid": "mine", "jwk": stranger.jwk()})
    yield "a stranger's key elsewhere", lambda p, claims: token(
        stranger, claims, header={"alg": "RS256", "kid": "mine", "jku": p.issuer + "/evil"})
    yield "swapped to PS256", lambda p, claims: token(p.key, claims, "PS256")
    yield "swapped to RS512", lambda p, claims: token(p.key, claims, "RS512")
    for alg in ("none", "None", "nOnE"):
        yield alg, lambda p, claims, alg=alg: token(p.key, claims, header={"alg": alg}, signature=b"")
        yield alg + " with kid", lambda p, claims, alg=alg: token(p.key, claims, header={"alg": alg, "kid": "first"},
                                                                  signature=b"x")

    def by_public_key(p, claims):
        import hmac
        pem = openssl("pkey", "-in", p.key.path, "-pubout")
        text = f"{b64(json.dumps({'alg': 'HS256', 'kid': 'first'}).encode())}.{b64(json.dumps(claims).encode())}"
        return f"{text}.{b64(hmac.new(pem, text.encode(), hashlib.sha256).digest())}"
    yield "HS256 with the public key", by_public_key
    yield "crit", lambda p, claims: token(p.key, claims, header={"alg": "RS256", "kid": "first", "crit": ["x"], "x": 1})
    yield "changed after signing", lambda p, claims: (lambda t: ".".join(
        [t[0], b64(json.dumps({**claims, "groups": ["chiefs"]}).encode()), t[2]]))(token(p.key, claims).split("."))
    for text in ("", "x", "a.b.c", "e30.e30.", "A" * 100_000):
        yield f"no token {text[:6]!r}", lambda p, claims, text=text: text


def test_lies_of_a_provider_are_refused(world):
    tried = 0
    for what, forge in lies(world.folder):
        world.fake.forge = forge
        _, page = world.sign_in()
        assert page.status in (401, 502), (what, page.status, page.body)
        tried += 1
    assert tried > 30
    world.fake.forge = None
    assert world.sign_in()[1].status == 302


def test_state_binds_the_return_to_the_browser(world):
    assert "not begun" in world.refused(change=lambda q: {"code": q["code"]})
    assert "not begun" in world.refused(change=lambda q: {**q, "state": "x"})
    assert "not begun" in world.refused(change=lambda q: {**q, "state": q["state"][:-1]})
    world.refused(change=lambda q: {"state": q["state"]}, status=(400,))
    world.refused(change=lambda q: {**q, "iss": "https://evil.example"})
    world.refused(change=lambda q: {"state": q["state"], "error": "access_denied"})
    assert "evil" not in world.refused(change=lambda q: {"state": q["state"], "error": "<b>evil</b>"})
    # A callback that an attacker began is nothing in another browser, and neither is its cookie with another state.
    attacker, victim = Browser(), Browser()
    begun = attacker.open(attacker.open(world.server.url + LOGIN).location).location
    assert victim.open(begun).status == 401
    victim.open(world.server.url + LOGIN)
    assert victim.open(begun).status == 401
    assert world.me(victim).status == 401


def test_people_are_told_on_a_page(world):
    accept = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
    browser = Browser()
    page = browser.open(browser.open(world.server.url + LOGIN).location)
    url = page.location.split("?")[0] + "?state=x&code=y&error=" + urllib.parse.quote("<b>evil</b>")
    page = browser.open(url, headers=accept)
    text = page.body.decode()
    assert page.status == 401 and page.headers["Content-Type"] == "text/html; charset=utf-8", page.headers
    assert "not begun" in text and 'href="login"' in text and "evil" not in text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"] and page.headers["Vary"] == "Accept"
    assert "<script" not in text and page.headers["Cache-Control"] == "no-store"
    assert browser.open(url, headers={"Accept": "application/json"}).json["status"] == 401
    assert browser.open(url).json["status"] == 401


def test_a_sign_in_ends_once(world):
    world.fake.once = False  # a provider that takes a code twice
    browser = Browser()
    page = browser.open(world.server.url + LOGIN)
    kept = {host: dict(jar) for host, jar in browser.cookies.items()}
    url = browser.open(page.location).location
    assert browser.open(url).status == 302
    thief = Browser()
    thief.cookies = kept
    page = thief.open(url)
    assert page.status == 401 and "used already" in page.json["detail"], page.body
    assert world.me(thief).status == 401
    # And one that does not.
    world.fake.once = True
    page = thief.open(world.server.url + LOGIN)
    url = thief.open(page.location).location
    world.fake.codes.clear()
    assert thief.open(url).status == 401


def test_the_way_back_stays_here(world):
    for evil in ("//evil.example", "/\\evil.example", "http://evil.example", "https:evil.example", "javascript:alert(1)",
                 "\\evil", "/x\r\nSet-Cookie:a=b", "/ x", "evil", "", "/" + "a" * 600, "/é"):
        page = Browser().open(world.server.url + LOGIN + "?return=" + urllib.parse.quote(evil))
        assert page.status == 400 or (evil == "" and page.status in (302, 400)), (evil, page.status)
    _, page = world.sign_in()
    assert page.location == "/"


def test_a_provider_that_is_away(world):
    fake = world.fake
    fake.broken = "/.well-known/openid-configuration"
    assert Browser().open(world.server.url + LOGIN).status == 502
    fake.broken = "/token"
    assert world.sign_in()[1].status == 502
    fake.broken = "/keys"
    assert world.sign_in()[1].status == 502
    fake.broken = None
    assert world.sign_in()[1].status == 302
    fake.broken = "/.well-known/openid-configuration"
    assert world.sign_in()[1].status == 302  # what it said before goes on
    log = world.server.log_text()
    assert "a secret" not in log and not re.search(r"eyJ[A-Za-z0-9_-]{20}", log)


def test_without_a_provider_there_is_none(tmp_path):
    server = Server(tmp_path / "server").start()
    try:
        assert Browser().open(server.url + LOGIN).status == 404
        assert Browser().open(server.url + LOGIN.replace("login", "callback") + "?code=x&state=y").status == 404
    finally:
        server.stop()


def test_settings_are_checked(tmp_path):
    port = free_port()
    good = {"CHRONOS_OIDC_ISSUER": "https://id.example.com", "CHRONOS_OIDC_CLIENTID": "c",
            "CHRONOS_OIDC_REDIRECTURL": "https://c.example.com/api/v1/auth/oidc/callback"}
    for name, value, word in (("ISSUER", "http://id.example.com", "https"), ("CLIENTID", "", "clientId"),
                              ("REDIRECTURL", "https://c.example.com/", "callback"), ("SCOPES", "email", "openid"),
                              ("DEFAULTROLE", "GOD", "ADMIN"), ("ROLEMAP", "staff", "group=ROLE"),
                              ("ROLEMAP", "staff=GOD", "group=ROLE")):
        env = {**{k: v for k, v in os.environ.items() if not k.startswith("CHRONOS_")}, **good,
               "CHRONOS_OIDC_" + name: value, "CHRONOS_DATA_DIR": str(tmp_path / "data"),
               "CHRONOS_HTTP_LISTEN": f"127.0.0.1:{port}"}
        done = subprocess.run([BINARY, "server"], env=env, capture_output=True, text=True, timeout=30)
        assert done.returncode != 0 and word in done.stderr, (name, done.stderr)


# ---- the command line ----

def cli_login(world, on_address):
    env = {k: v for k, v in os.environ.items() if not k.startswith("CHRONOS_")}
    env.update(CHRONOS_URL=world.server.url, XDG_CONFIG_HOME=str(world.folder / "config"), NO_COLOR="1")
    process = subprocess.Popen([BINARY, "login", "--oidc"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    address = ""
    while "http" not in address:
        address = process.stderr.readline()
        assert address, "the command line said nothing"
    code = on_address(address.strip())
    out, err = process.communicate(code + "\n", timeout=30)
    whoami = subprocess.run([BINARY, "whoami", "-o", "json"], env=env, capture_output=True, text=True)
    return process.returncode, out + err, whoami


def code_of(browser, address):
    page = browser.follow(address)
    assert page.status == 200, page.body
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    return re.search(rb"<code>(chc_[A-Za-z0-9_-]+)</code>", page.body).group(1).decode()


def test_a_command_line_signs_in_by_a_code(world):
    browser = Browser()
    code, out, whoami = cli_login(world, lambda address: code_of(browser, address))
    assert code == 0, out
    assert json.loads(whoami.stdout)["email"] == "eva@example.org"
    assert "chronos_session" not in str(browser.cookies)
    bad, out, _ = cli_login(world, lambda address: "chc_" + "A" * 43)
    assert bad != 0


def test_a_code_is_good_once_and_for_its_verifier_only(world):
    def redeem(code, verifier):
        return world.server.call("POST", "/auth/oidc/token", {"code": code, "verifier": verifier}, auth=False)

    def begin(verifier):
        challenge = b64(hashlib.sha256(verifier.encode()).digest())
        return code_of(Browser(), f"{world.server.url}{LOGIN}?cli={challenge}")

    verifier = "v" * 43
    code = begin(verifier)
    challenge = b64(hashlib.sha256(verifier.encode()).digest())
    for wrong in ("w" * 43, challenge):
        assert redeem(code, wrong).status == 401
    for text in (code, challenge + code, "chr_" + code[4:]):
        assert world.server.call("POST", "/auth/refresh", {"refreshToken": text}, auth=False).status in (400, 401)
    got = redeem(code, verifier)
    assert got.status == 200 and got.json["email"] == "eva@example.org"
    assert redeem(code, verifier).status == 401
    # Used twice: somebody else has it. What the first use got ends, too.
    refresh = {"refreshToken": got.json["refreshToken"]}
    assert world.server.call("POST", "/auth/refresh", refresh, auth=False).status == 401
    for cli in ("x", "A" * 42, "A" * 44, "!" * 43):
        assert Browser().open(f"{world.server.url}{LOGIN}?cli={urllib.parse.quote(cli)}").status == 400


# ---- a real provider ----

def real_sign_in(browser, url, user):
    """Through the provider's own pages: name and password, then consent."""
    page = browser.follow(url, until=lambda page: "/auth/oidc/callback" in (page.location or ""))
    while page.status == 200:
        form = re.search(rb'<form[^>]*action="([^"]+)"', page.body).group(1).decode()
        fields = dict(re.findall(r'<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.body.decode()))
        if b'name="login"' in page.body:
            fields.update(login=user, password="any")
        page = browser.open(urllib.parse.urljoin(page.url, form), "POST", form=fields)
        if page.status in (302, 303):
            page = browser.follow(urllib.parse.urljoin(page.url, page.location),
                                  until=lambda page: "/auth/oidc/callback" in (page.location or ""))
    return browser.open(page.location)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_real_provider(tmp_path, method):
    modules, reason = npm_modules()
    if not modules:
        print(reason)
        pytest.skip(reason)
    server = Server(tmp_path / "server")
    redirect = f"http://127.0.0.1:{server.port}/api/v1/auth/oidc/callback"
    real = Real(tmp_path / "provider", modules)
    real.start(redirect, {"u1": {"email": "ada@example.org", "email_verified": True, "groups": ["ops"]},
                          "u2": {"email": "bob@example.org", "email_verified": True, "groups": ["nobody"]}}, method)
    try:
        from provider import CLIENT, SECRET
        server.settings.update({"CHRONOS_OIDC_ISSUER": real.issuer, "CHRONOS_OIDC_CLIENTID": CLIENT,
                                "CHRONOS_OIDC_CLIENTSECRET": SECRET, "CHRONOS_OIDC_REDIRECTURL": redirect,
                                "CHRONOS_OIDC_ROLEMAP": "ops=OPERATOR"})
        server.start()
        browser = Browser()
        page = real_sign_in(browser, server.url + LOGIN, "u1")
        assert page.status == 302 and page.location == "/", (page.status, page.body, real.log()[-2000:])
        me = browser.open(server.url + "/api/v1/auth/me").json
        assert me["email"] == "ada@example.org" and me["roles"] == ["OPERATOR"]
        assert real_sign_in(Browser(), server.url + LOGIN, "u2").status == 403
    finally:
        server.stop()
        real.stop()
