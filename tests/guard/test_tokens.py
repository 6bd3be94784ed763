# SPDX-License-Identifier: Apache-2.0
"""Forged tokens over HTTP, and signing keys that change while people are signed in: on a file and on two nodes."""
import base64
import hashlib
import hmac
import json
import subprocess
import time

import pytest

import mariadb
import postgres
from chronos import BINARY, Server, wait_until
from provider import Key, b64


def me(server, token):
    server.token = token
    return server.call("GET", "/auth/me").status


def parts(token):
    head, claims, signature = token.split(".")
    return json.loads(unb64(head)), json.loads(unb64(claims)), signature


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def made(head, claims, secret=b""):
    text = f"{b64(head if isinstance(head, bytes) else json.dumps(head, separators=(',', ':')).encode())}." \
           f"{b64(claims if isinstance(claims, bytes) else json.dumps(claims, separators=(',', ':')).encode())}"
    return f"{text}.{b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def forgeries(token, folder):
    """(what, token) of all that a forger without the key may try; the claims are good ones."""
    head, claims, signature = parts(token)
    kid = head["kid"]
    pem = Key(folder / "rsa", "rsa").jwk()
    public = json.dumps(pem).encode()
    for alg in ("none", "None", "nOnE", "NONE", ""):
        for tail in ("", signature):
            yield f"alg {alg!r}", f"{b64(json.dumps({'alg': alg, 'kid': kid}).encode())}.{token.split('.')[1]}.{tail}"
    for alg in ("HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256"):
        yield alg, made({"alg": alg, "kid": kid}, claims)
    for key in (b"", b"secret", public, b"chronos", kid.encode(), b"\0" * 32):
        yield f"HS256 with {key[:16]!r}", made({"alg": "HS256", "kid": kid}, claims, key)
    for odd in ("../../../dev/null", "/dev/null", "' OR '1'='1", "x' UNION SELECT 'secret' -- ", "", "0" * 16, "\0", "a" * 4000):
        yield f"kid {odd[:20]!r}", made({"alg": "HS256", "kid": odd}, claims, b"")
    for more in ({"jku": "http://127.0.0.1:9/k"}, {"x5u": "http://127.0.0.1:9/k"}, {"jwk": pem}, {"x5c": ["AA"]},
                 {"crit": ["exp"]}, {"b64": False}, {"typ": "JWT"}):
        yield f"header {list(more)}", f"{b64(json.dumps({**head, **more}, separators=(',', ':')).encode())}." \
                                      f"{token.split('.')[1]}.{signature}"
    yield "alg twice", made(b'{"alg":"none","alg":"HS256","kid":"' + kid.encode() + b'"}', claims)
    for name, value in (("roles", 31), ("exp", claims["exp"] + 9999), ("nbf", 0), ("iss", "other"), ("aud", "other"),
                        ("sub", "0" * 26), ("epoch", claims["epoch"] + 1), ("email", "root@example.org")):
        body = json.dumps({**claims, name: value}, separators=(",", ":")).encode()
        yield f"claim {name}", f"{token.split('.')[0]}.{b64(body)}.{signature}"
    for text in (token + "=", token + ".", token[:-1], token[:-2] + "!!", token.replace(".", "..", 1), token.upper(),
                 "." + token, token.split(".")[0], "..", "a.b.c", token.split(".")[0] + "." + token.split(".")[1] + "."):
        yield f"shape {text[:12]}…", text


def test_forged_tokens_are_refused(server, tmp_path):
    good = server.token
    assert me(server, good) == 200
    tried = 0
    for what, token in forgeries(good, tmp_path):
        if any(ord(c) < 32 for c in token):
            continue
        assert me(server, token) == 401, what
        tried += 1
    assert tried > 50
    assert me(server, "A" * 5000) == 401
    assert me(server, "A" * (1 << 20)) in (400, 401, 431)
    assert me(server, good) == 200


def test_reuse_ends_the_family_and_logout_ends_all_at_once(server):
    first = server.login()
    refresh = {"refreshToken": first["refreshToken"]}
    second = server.call("POST", "/auth/refresh", refresh, auth=False)
    assert second.status == 200
    assert server.call("POST", "/auth/refresh", refresh, auth=False).status == 401
    assert server.call("POST", "/auth/refresh", {"refreshToken": second.json["refreshToken"]}, auth=False).status == 401
    server.token = first["accessToken"]
    assert server.call("POST", "/auth/logout").status == 204
    assert me(server, first["accessToken"]) == 401
    assert me(server, second.json["accessToken"]) == 401


def test_a_new_key_signs_nobody_out(server):
    before = server.login()["accessToken"]
    kid = parts(before)[0]["kid"]
    answer = server.call("POST", "/auth/keys:rotate")
    assert answer.status == 200 and answer.json["believed"] == 2, answer.body
    after = server.login()["accessToken"]
    assert parts(after)[0]["kid"] == answer.json["keyId"] != kid
    assert me(server, before) == me(server, after) == 200
    # One of the new key under the name of the old one, and the other way round.
    for head, other in ((before, after), (after, before)):
        assert me(server, ".".join([head.split(".")[0], *other.split(".")[1:]])) == 401
    server.token = after
    assert server.call("POST", "/auth/keys:rotate", {"revoke": True}).status == 200
    assert me(server, before) == me(server, after) == 401
    assert me(server, server.login()["accessToken"]) == 200
    server.stop()
    server.start()
    server.login()
    trail = server.call("GET", "/audit?action=key.rotate")
    assert trail.status == 200 and len(trail.json["content"]) >= 2, trail.body
    assert server.call("GET", "/audit:verify").status == 200


def test_who_is_no_administrator_makes_no_keys(server):
    server.call("POST", "/auth/register", {"email": "eva@example.org", "password": "correct horse battery"}, auth=False)
    login = server.call("POST", "/auth/login", {"email": "eva@example.org", "password": "correct horse battery"}, auth=False)
    server.token = login.json["accessToken"]
    assert server.call("POST", "/auth/keys:rotate").status == 403
    server.token = None
    assert server.call("POST", "/auth/keys:rotate").status == 401


def test_keys_are_rotated_and_forgotten_without_a_server(server):
    before = server.token
    env = server.environment()
    assert command(env, "admin", "rotate-key") != 0  # the server has the store
    server.stop()
    assert command(env, "admin", "rotate-key") == 0
    server.start()
    assert me(server, before) == 200
    server.stop()
    key = server.folder / "data/token.key"
    kept = key.read_text()
    key.write_text("another key that is long enough to be one\n")
    assert command(env, "admin", "rotate-key") != 0
    key.unlink()
    assert command(env, "admin", "rotate-key") != 0  # lost is not new
    key.write_text(kept)
    key.chmod(0o600)
    server.start()
    assert me(server, before) == 200
    server.stop()
    assert command(env, "admin", "forget-key") == 0
    key.unlink()
    server.start()
    assert me(server, before) == 401
    assert me(server, server.login()["accessToken"]) == 200


def command(env, *args):
    import subprocess

    from chronos import BINARY
    return subprocess.run([BINARY, *args], env=env, stdin=subprocess.DEVNULL, capture_output=True).returncode


@pytest.fixture(params=["postgres", "mariadb"])
def nodes(request, tmp_path):
    with {"postgres": postgres, "mariadb": mariadb}[request.param].Server() as database:
        url = database.url()
        old, new = "o" * 32, "n" * 32
        made_nodes = [Server(tmp_path / name, CHRONOS_DB_URL=url, CHRONOS_AUTH_KEY=old, CHRONOS_NODE_NAME=name,
                             CHRONOS_SECRETS_KEY="s" * 32) for name in ("n1", "n2")]
        for node in made_nodes:
            node.start()
            node.new_key = f"{new}, {old}"
            node.only_new = new
        yield made_nodes
        for node in made_nodes:
            node.stop()


def test_all_nodes_take_a_new_key(nodes):
    one, two = nodes
    before = one.login()["accessToken"]
    assert me(two, before) == 200
    one.token = before
    answer = one.call("POST", "/auth/keys:rotate")
    assert answer.status == 200, answer.body
    after = one.login()["accessToken"]
    assert parts(after)[0]["kid"] == answer.json["keyId"]
    assert me(two, after) == 200 and me(two, before) == 200  # at once, though it never saw that key
    began = time.monotonic()
    wait_until(lambda: parts(two.login()["accessToken"])[0]["kid"] == answer.json["keyId"], what="the other node's new key")
    print(f"the other node signs with it after {time.monotonic() - began:.1f} s")
    one.token = after
    assert one.call("POST", "/auth/keys:rotate", {"revoke": True}).status == 200
    assert me(one, after) == 401
    began = time.monotonic()
    wait_until(lambda: me(two, after) == 401, what="the end of the old keys on the other node")
    print(f"the other node refuses the old ones after {time.monotonic() - began:.1f} s")
    assert me(two, one.login()["accessToken"]) == 200
    # A used refresh token ends its family on every node.
    session = one.login()
    fresh = two.call("POST", "/auth/refresh", {"refreshToken": session["refreshToken"]}, auth=False)
    assert fresh.status == 200
    assert one.call("POST", "/auth/refresh", {"refreshToken": session["refreshToken"]}, auth=False).status == 401
    assert two.call("POST", "/auth/refresh", {"refreshToken": fresh.json["refreshToken"]}, auth=False).status == 401
    # The outer key is replaced node by node; tokens stay good all the while.
    token = one.login()["accessToken"]
    for keys in ("new_key", "only_new"):
        for node in nodes:
            node.stop()
            node.settings["CHRONOS_AUTH_KEY"] = getattr(node, keys)
            node.start()
            assert all(me(each, token) == 200 for each in nodes)
