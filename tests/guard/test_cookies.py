# SPDX-License-Identifier: Apache-2.0
"""Sessions of browsers: what the cookie is, what it opens, and what pages elsewhere cannot do with it."""
import json
import sqlite3
import ssl
import urllib.error
import urllib.request

import pytest

from chronos import EMAIL, PASSWORD, Server
from edge import TlsServer
from provider import Browser

LOGIN = {"email": EMAIL, "password": PASSWORD, "cookie": True}


def ours(server, **more):
    return {"Origin": server.url, "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json", **more}


def open_session(server, browser, headers=None, body=None):
    return browser.open(server.url + "/api/v1/auth/login", "POST", body=json.dumps(body or LOGIN).encode(),
                        headers=headers or ours(server))


@pytest.fixture
def browser(server):
    made = Browser()
    page = open_session(server, made)
    assert page.status == 200, page.body
    made.csrf = page.json["csrfToken"]
    made.lines = page.headers.get_all("Set-Cookie")
    made.jar = made.cookies[server.url.split("/")[2]]
    return made


def call(server, browser, method, path, headers=None, body=None):
    data = json.dumps(body).encode() if body is not None else None
    return browser.open(server.url + "/api/v1" + path, method, body=data, headers=headers or {})


def test_the_cookie_on_loopback(server, browser):
    session, csrf = browser.lines
    assert session.startswith("chronos_session=chb_") and "HttpOnly" in session
    assert csrf.startswith("chronos_csrf=") and "HttpOnly" not in csrf
    for line in (session, csrf):
        assert "SameSite=Lax" in line and "Path=/" in line and "Domain" not in line and "Secure" not in line
    page = open_session(server, Browser())
    assert "accessToken" not in page.json and "refreshToken" not in page.json and page.json["roles"] == ["ADMIN"]
    assert call(server, browser, "GET", "/auth/me").json["email"] == EMAIL
    # The secret in the cookie is no refresh token and no access token.
    secret = browser.jar["chronos_session"]
    assert server.call("POST", "/auth/refresh", {"refreshToken": secret[:60]}, auth=False).status in (400, 401)
    server.token = secret
    assert server.call("GET", "/auth/me").status == 401


def test_changes_need_a_page_of_ours_and_the_token(server, browser):
    def create(**headers):
        return call(server, browser, "POST", "/jobs", {"Content-Type": "application/json", **headers}, job).status

    job = {"name": "j", "type": "DUMMY", "schedule": {"scheduleType": "MANUAL"}}
    token = {"X-Chronos-CSRF": browser.csrf}
    refused = [
        {}, token,                                                    # nothing says where it comes from
        {"Sec-Fetch-Site": "same-origin"}, {"Origin": server.url},    # no token
        {"Sec-Fetch-Site": "same-origin", "X-Chronos-CSRF": "x"},
        {"Sec-Fetch-Site": "same-origin", "X-Chronos-CSRF": browser.jar["chronos_session"]},
    ]
    for headers in refused:
        assert create(**headers) == 403, headers
    elsewhere = [
        {"Sec-Fetch-Site": "cross-site", **token}, {"Sec-Fetch-Site": "same-site", **token},
        {"Origin": "http://evil.example", **token}, {"Origin": "null", **token},
        {"Origin": server.url.replace("http", "https"), **token}, {"Origin": server.url + ".evil.example", **token},
        {"Origin": "http://127.0.0.1:1", **token}, {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example", **token},
    ]
    for headers in elsewhere:
        assert create(**headers) == 401, headers
    assert create(**{"Sec-Fetch-Site": "none", **token}) == 403
    assert create(**{"Sec-Fetch-Site": "same-origin", **token}) == 201
    assert create(Origin=server.url, **token) == 201
    # A token of another session is of no use.
    other = Browser()
    foreign = open_session(server, other).json["csrfToken"]
    assert create(**{"Sec-Fetch-Site": "same-origin", "X-Chronos-CSRF": foreign}) == 403


def test_reading_from_elsewhere_shows_nothing(server, browser):
    assert call(server, browser, "GET", "/jobs", {"Sec-Fetch-Site": "same-origin"}).status == 200
    assert call(server, browser, "GET", "/jobs", {"Sec-Fetch-Site": "none"}).status == 200
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://evil.example"}):
        assert call(server, browser, "GET", "/jobs", headers).status == 401, headers


def test_nobody_is_signed_in_from_elsewhere(server):
    for headers in ({"Content-Type": "application/json"}, {"Content-Type": "application/json", "Origin": "http://evil.example"},
                    ours(server, **{"Sec-Fetch-Site": "cross-site"})):
        page = open_session(server, Browser(), headers)
        assert page.status == 403 and not page.headers.get("Set-Cookie"), headers


def test_odd_cookies_are_nobody(server, browser):
    good = browser.jar["chronos_session"]
    head, epoch = good.rsplit(".", 1)
    for value in ("", "x", good[:-1], good + "0", f"{head}.{int(epoch) + 1}", "chb_" + "A" * 43 + ".1", "A" * 4000,
                  "' OR 1=1 --", "chr_" + good[4:], good.upper()):
        browser.jar["chronos_session"] = value
        page = browser.open(server.url + "/api/v1/auth/me")
        assert page.status == 401, value
        browser.jar["chronos_session"] = good
    # Two of one name: one of them was planted.
    page = Browser().open(server.url + "/api/v1/auth/me", headers={"Cookie": f"chronos_session=x; chronos_session={good}"})
    assert page.status == 401
    # On plain HTTP the name that only TLS may set is not listened to.
    assert Browser().open(server.url + "/api/v1/auth/me", headers={"Cookie": f"__Host-chronos_session={good}"}).status == 401
    assert browser.open(server.url + "/api/v1/auth/me").status == 200


def test_logout_ends_the_session_here_and_on_the_server(server, browser):
    good = dict(browser.jar)
    headers = ours(server, **{"X-Chronos-CSRF": browser.csrf})
    assert call(server, browser, "POST", "/auth/logout", ours(server)).status == 403
    page = call(server, browser, "POST", "/auth/logout", headers)
    assert page.status == 204 and not browser.jar
    assert all("Max-Age=0" in line for line in page.headers.get_all("Set-Cookie"))
    browser.jar.update(good)
    assert call(server, browser, "GET", "/auth/me").status == 401


def test_the_end_of_all_sessions_is_the_end_of_this_one(server, browser):
    assert server.call("POST", "/auth/logout").status == 204
    page = call(server, browser, "GET", "/auth/me")
    assert page.status == 401 and not browser.jar


def test_a_changed_password_keeps_this_browser(server, browser):
    other = Browser()
    open_session(server, other)
    page = call(server, browser, "PUT", "/auth/password", ours(server, **{"X-Chronos-CSRF": browser.csrf}),
                {"currentPassword": PASSWORD, "newPassword": "a quite different long one 7"})
    assert page.status == 200 and "accessToken" not in page.json, page.body
    assert call(server, browser, "GET", "/auth/me").status == 200
    assert other.open(server.url + "/api/v1/auth/me").status == 401


def test_sessions_end_by_themselves(server, browser):
    path = server.folder / "data/chronos.db"

    def times():
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            return db.execute("SELECT created_at, expires_at FROM sessions ORDER BY created_at DESC").fetchone()

    created, expires = times()
    assert expires - created == 8 * 3600 * 10 ** 6
    server.stop()
    with sqlite3.connect(path) as db:  # half of the time went by
        db.execute("UPDATE sessions SET expires_at = expires_at - 4 * 3600 * 1000000")
    server.start()
    assert call(server, browser, "GET", "/auth/me").status == 200
    assert times()[1] >= expires  # it slid
    server.stop()
    with sqlite3.connect(path) as db:  # begun a week ago: alive, but too old
        db.execute("UPDATE sessions SET created_at = created_at - 7 * 86400 * 1000000")
    server.start()
    assert call(server, browser, "GET", "/auth/me").status == 401
    server.stop()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE sessions SET created_at = created_at + 7 * 86400 * 1000000, expires_at = created_at")
    server.start()
    assert call(server, browser, "GET", "/auth/me").status == 401


def test_over_tls_the_cookie_is_the_hosts_own(tmp_path):

    server = TlsServer(tmp_path / "server").start()
    try:
        def send(path, body=None, **headers):
            request = urllib.request.Request(server.url + "/api/v1" + path,
                                             data=json.dumps(body).encode() if body else None, headers=headers)
            context = ssl.create_default_context(cafile=server.certificate)
            return urllib.request.urlopen(request, context=context)
        answer = send("/auth/login", LOGIN, **ours(server))
        session, csrf = answer.headers.get_all("Set-Cookie")
        assert session.startswith("__Host-chronos_session=") and csrf.startswith("__Host-chronos_csrf=")
        assert "; Secure" in session and "; Secure" in csrf and "HttpOnly" in session
        value = session.split(";")[0].split("=", 1)[1]
        assert send("/auth/me", Cookie=f"__Host-chronos_session={value}").status == 200
        with pytest.raises(urllib.error.HTTPError):  # a name that plain HTTP could plant
            send("/auth/me", Cookie=f"chronos_session={value}")
    finally:
        server.stop()


def test_behind_a_proxy_that_says_https(tmp_path):
    server = Server(tmp_path / "server", CHRONOS_HTTP_TRUSTEDPROXIES="127.0.0.1").start()
    try:
        host = {"Host": "chronos.example.org", "Origin": "https://chronos.example.org", "Content-Type": "application/json",
                "X-Forwarded-For": "192.0.2.7"}
        page = open_session(server, Browser(), {**host, "X-Forwarded-Proto": "https"})
        assert page.status == 200 and page.headers["Set-Cookie"].startswith("__Host-chronos_session=")
        plain = open_session(server, Browser(), {**host, "Origin": "http://chronos.example.org", "X-Forwarded-Proto": "http"})
        assert plain.status == 400 and "TLS" in plain.json["detail"], plain.body
    finally:
        server.stop()
