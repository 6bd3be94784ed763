# SPDX-License-Identifier: Apache-2.0
"""Who the client is: tokens from the environment, sign-in, renewal, sign-out."""
import json
import stat

from fake import page, problem

TOKENS = {"accessToken": "access-2", "refreshToken": "refresh-2", "tokenType": "Bearer", "expiresIn": 900,
          "email": "me@example.org", "roles": ["USER"]}
ME = {"email": "me@example.org", "roles": ["USER"]}


def authorized(token):
    return lambda r: (200, ME) if r.headers.get("Authorization") == f"Bearer {token}" else \
        problem(401, "UNAUTHENTICATED", "the token is not valid")


def test_login_stores_the_tokens_for_this_address_only_readable_by_the_user(server, cli):
    server.on("POST", "/api/v1/auth/login", (200, TOKENS))
    server.on("GET", "/api/v1/auth/me", authorized("access-2"))
    cli("login", "--email", "me@example.org", stdin="correct horse battery\n")
    assert server.seen[-1].json == {"email": "me@example.org", "password": "correct horse battery"}
    assert stat.S_IMODE(cli.credentials.stat().st_mode) == 0o600
    stored = json.loads(cli.credentials.read_text())
    assert list(stored) == [server.url] and stored[server.url]["refreshToken"] == "refresh-2"
    assert "me@example.org" in cli("whoami").stdout


def test_login_reads_the_password_from_a_file_and_never_asks_without_a_terminal(server, cli, tmp_path):
    server.on("POST", "/api/v1/auth/login", (200, TOKENS))
    (tmp_path / "pw").write_text("from a file\r\n")
    cli("login", "--email", "me@example.org", "--password-file", "pw")
    assert server.seen[-1].json["password"] == "from a file"
    assert "--email" in cli("login", stdin="x\n", code=2).stderr
    assert "password is empty" in cli("login", "--email", "me@example.org", stdin="", code=2).stderr
    assert "unknown flag" in cli("login", "--email", "e@f", "--password", "x", code=2).stderr


def test_a_wrong_password_is_code_4_and_stores_nothing(server, cli):
    server.on("POST", "/api/v1/auth/login", problem(401, "UNAUTHENTICATED", "e-mail or password is wrong"))
    assert "is wrong" in cli("login", "--email", "me@example.org", stdin="x\n", code=4).stderr
    assert not cli.credentials.exists()


def test_an_expired_token_is_renewed_before_the_call(server, cli):
    cli.sign_in(server.url, expires="2020-01-01T00:00:00Z")
    server.on("POST", "/api/v1/auth/refresh", (200, TOKENS))
    server.on("GET", "/api/v1/auth/me", authorized("access-2"))
    cli("whoami")
    assert server.calls() == ["POST /api/v1/auth/refresh", "GET /api/v1/auth/me"]
    assert server.seen[0].json == {"refreshToken": "refresh-1"}
    assert json.loads(cli.credentials.read_text())[server.url]["refreshToken"] == "refresh-2"
    assert stat.S_IMODE(cli.credentials.stat().st_mode) == 0o600
    cli("whoami")
    assert server.calls()[2:] == ["GET /api/v1/auth/me"]


def test_a_refused_token_is_renewed_once_and_the_call_repeated_with_its_key(server, cli):
    cli.sign_in(server.url)
    server.on("POST", "/api/v1/auth/refresh", (200, TOKENS))
    server.on("POST", "/api/v1/jobs", lambda r: (201, {"id": "01KA3V5J8M2C000000000000AA", "name": "x"})
              if r.headers["Authorization"] == "Bearer access-2" else problem(401, "UNAUTHENTICATED", "expired"))
    cli("job", "create", "x", "--dummy", "--every", "5s")
    assert server.calls() == ["POST /api/v1/jobs", "POST /api/v1/auth/refresh", "POST /api/v1/jobs"]
    keys = [r.headers["Idempotency-Key"] for r in server.seen if r.path == "/api/v1/jobs"]
    assert keys[0] == keys[1] and len(keys[0]) == 26


def test_a_refresh_that_fails_ends_with_the_401(server, cli):
    cli.sign_in(server.url, expires="2020-01-01T00:00:00Z")
    server.on("POST", "/api/v1/auth/refresh", problem(401, "UNAUTHENTICATED", "revoked"))
    server.on("GET", "/api/v1/auth/me", problem(401, "UNAUTHENTICATED", "sign in"))
    assert "chronos login" in cli("whoami", code=4).stderr


def test_tokens_of_the_environment_go_first_and_are_never_renewed(server, cli, tmp_path):
    cli.sign_in(server.url)
    (tmp_path / "token").write_text("from-file\n")
    server.on("GET", "/api/v1/auth/me", lambda r: (200, {"email": r.headers["Authorization"]}))
    assert "Bearer from-env" in cli("whoami", CHRONOS_TOKEN="from-env").stdout
    assert "Bearer from-file" in cli("whoami", CHRONOS_TOKEN_FILE="token").stdout
    assert "unset one" in cli("whoami", CHRONOS_TOKEN="a", CHRONOS_TOKEN_FILE="token", code=2).stderr
    server.on("GET", "/api/v1/auth/me", problem(401, "UNAUTHENTICATED", "no"))
    cli("whoami", CHRONOS_TOKEN="from-env", code=4)
    assert "POST /api/v1/auth/refresh" not in server.calls()


def test_a_stored_token_is_sent_to_its_own_address_only(server, cli):
    cli.sign_in("http://127.0.0.1:1")
    server.on("GET", "/api/v1/jobs", page([]))
    cli("job", "list")
    assert server.seen[-1].headers.get("Authorization") is None


def test_logout_tells_the_server_and_forgets_the_tokens(server, cli):
    cli.sign_in(server.url)
    server.on("POST", "/api/v1/auth/logout", (204, None))
    cli("logout")
    assert server.seen[-1].json == {"refreshToken": "refresh-1"}
    assert json.loads(cli.credentials.read_text()) == {}
    assert "not signed in" in cli("logout").stderr


def test_a_damaged_login_file_is_named(server, cli):
    cli.sign_in(server.url)
    cli.credentials.write_text("{")
    assert "credentials.json" in cli("logout", code=2).stderr


def test_the_address_follows_the_servers_own_variable(server, alone):
    server.on("GET", "/readyz", (200, {"status": "UP"}))
    port = server.url.rsplit(":", 1)[1]
    alone("healthcheck", CHRONOS_HTTP_LISTEN=f"0.0.0.0:{port}")
    server.on("GET", "/readyz", problem(503, "UNAVAILABLE", "starting"))
    alone("healthcheck", CHRONOS_HTTP_LISTEN=f"0.0.0.0:{port}", code=6)
