"""`authenticate-oidc` as Chromium goes through it: a login by form and consent, sessions and their ends, a provider that fails."""

import base64
import subprocess
import threading
import time
from collections.abc import Callable

import jwt

from checks import Checks, free_ports
from chromium import Chromium
from elbow import Elbow
from scene import HOST, SECRET, SEEN, Client, Provider, listener, serve_echo, target, told

COOKIE = "AWSELBAuthSessionCookie"
CALLBACK = "/oauth2/idpresponse"
FORGED = {
    "X-Amzn-Oidc-Identity": "forged",
    "x-amzn-oidc-data": "forged",
    "X_Amzn_Oidc_Accesstoken": "forged",
    "x-amzn-oidc_identity": "forged",
}
FETCH = """
const done = arguments[arguments.length - 1];
fetch(arguments[0], {headers: arguments[1]}).then(answer => answer.text()).then(done, error => done('' + error));
"""
FETCH_SIX = """
const done = arguments[arguments.length - 1];
Promise.all([...Array(6).keys()].map(number => fetch('/brief/' + number).then(answer => answer.status)))
    .then(done, error => done('' + error));
"""


def rule(path: str, provider: Provider, more: str, client: str = "site", scope: str = "openid email profile") -> str:
    return f"""path = ["{path}"]
[load_balancer.listener.rule.authenticate_oidc]
issuer = "{provider.url}"
authorization_endpoint = "{provider.url}/auth"
token_endpoint = "{provider.url}/token"
user_info_endpoint = "{provider.url}/me"
client_id = "{client}"
client_secret = "{SECRET}"
ca_file = "elbow-ca/ca.pem"
scope = "{scope}"
{more}
"""


def rules(provider: Provider) -> list[str]:
    renewed = 'session_cookie_name = "Renewed"\nextra_params = { prompt = "consent" }'
    return [
        rule("/private/*", provider, ""),
        rule("/denied/*", provider, 'on_unauthenticated_request = "deny"'),
        rule("/allowed/*", provider, 'on_unauthenticated_request = "allow"'),
        rule("/short/*", provider, 'session_cookie_name = "Short"\nsession_timeout = "3s"'),
        rule("/brief/*", provider, renewed, "brief site", "openid email offline_access"),
    ]


class Scene:
    def __init__(self, elbow: Elbow, provider: Provider, browser: Chromium, port: int) -> None:
        self.checks = Checks()
        self.elbow = elbow
        self.provider = provider
        self.browser = browser
        self.url = f"https://{HOST}:{port}"
        self.site = Client(HOST, port, elbow.tls())
        self.users = Client("localhost", provider.port, elbow.tls())

    def log_in(self, name: str) -> None:
        """On the provider's page, by its form."""
        self.browser.enter("input[name=login]", name)
        self.browser.enter("input[name=password]", "any")
        self.leave("button[type=submit]")

    def leave(self, selector: str) -> None:
        """Clicks, and waits until that page is gone."""
        self.browser.run("window.stays = true")
        self.browser.click(selector)
        self.until(lambda: not self.browser.run("return window.stays === true"))

    def until(self, holds: Callable[[], object]) -> None:
        end = time.monotonic() + 20
        while not holds():
            if time.monotonic() > end:
                raise TimeoutError(f"still at {self.browser.url()}")
            time.sleep(0.05)

    def told(self) -> dict[str, list[str]]:
        return told(self.browser.text("body"))

    def reasons(self, mark: str) -> list[str]:
        return [line["error_reason"] for line in self.elbow.log() if mark in line["request_url"] and line["error_reason"]]

    def returning(self, code: str) -> tuple[str, dict[str, str]]:
        """What a client asks with that comes back from a login just begun: path and cookies."""
        away = self.site.ask("/private/a")
        query = away.fields["Location"].split("?", 1)[1]
        [state] = [pair for pair in query.split("&") if pair.startswith("state=")]
        return f"{CALLBACK}?code={code}&{state}", {"Cookie": "; ".join(f"{k}={v}" for k, v in away.cookies.items())}


def first_login(scene: Scene) -> None:
    checks, browser = scene.checks, scene.browser
    browser.open(f"{scene.url}/private/page?a=b&c=%20d")
    checks.check("the protected page leads to the provider", browser.url().startswith(scene.provider.url), browser.url())
    scene.log_in("ada")
    checks.check("which takes the name and asks for consent", "ada" not in browser.url() and browser.count("button") == 1, browser.url())
    scene.leave("button[type=submit]")
    checks.equal("and sends the browser back to the page", browser.url(), f"{scene.url}/private/page?a=b&c=%20d")
    found = scene.told()
    names = ["x-amzn-oidc-accesstoken", "x-amzn-oidc-data", "x-amzn-oidc-identity"]
    checks.equal("the target is told of the user, once each", (sorted(found), {len(each) for each in found.values()}), (names, {1}))
    checks.equal("who it is", found["x-amzn-oidc-identity"], ["ada"])
    [data], [token] = found["x-amzn-oidc-data"], found["x-amzn-oidc-accesstoken"]
    header = jwt.get_unverified_header(data)
    key = scene.site.ask(f"/oauth2/public-keys/{header['kid']}").body
    claims = jwt.decode(data, key, algorithms=["ES256"], issuer=scene.provider.url)
    checks.equal("the signed claims verify, and say for whom", (header["alg"], header["client"], header["signer"]), ("ES256", "site", "web"))
    info = scene.users.ask("/me", {"Authorization": f"Bearer {token}"}).json()
    without = {name: value for name, value in claims.items() if name not in ("exp", "iss")}
    checks.equal("they are what the user info endpoint says", without, info)
    changed = data.split(".")
    changed[1] = base64.urlsafe_b64encode(base64.urlsafe_b64decode(changed[1]).replace(b"ada", b"eve")).decode()
    try:
        jwt.decode(".".join(changed), key, algorithms=["ES256"])
        checks.check("changed claims do not verify", False)
    except jwt.InvalidSignatureError:
        checks.check("changed claims do not verify", True)
    checks.check("the session's cookie stays with the balancer", COOKIE not in browser.text("body"), browser.text("body"))


def forged(scene: Scene) -> None:
    checks = scene.checks
    text = scene.browser.run_async(FETCH, "/private/forged", FORGED)
    found = told(text)
    checks.check("what a page forges does not reach the target", "forged" not in str(found) and found["x-amzn-oidc-identity"] == ["ada"], found)
    for path in ("/", "/allowed/a"):
        answer = scene.site.ask(path, FORGED)
        checks.equal(f"nor without a session, at {path}", (answer.status, told(answer.body)), (200, {}))
    answer = scene.site.ask("/private/a", {"Cookie": f"{COOKIE}-0=forged"})
    checks.equal("a forged session is none", answer.status, 302)


def sessions(scene: Scene) -> None:
    checks, browser = scene.checks, scene.browser
    checks.equal("without a session, deny is 401", scene.site.ask("/denied/a").status, 401)
    browser.open(f"{scene.url}/denied/a")
    checks.equal("with one, it passes", scene.told()["x-amzn-oidc-identity"], ["ada"])
    browser.open(f"{scene.url}/allowed/a")
    checks.equal("and allow tells the target of it", scene.told()["x-amzn-oidc-identity"], ["ada"])
    browser.open(f"{scene.url}/short/a")
    began = scene.elbow.metric("elbow_oidc_total", 'event="success"')
    checks.equal("who is logged in at the provider need not log in again", scene.told()["x-amzn-oidc-identity"], ["ada"])
    cookies = browser.cookies()
    time.sleep(3.1)
    answer = scene.site.ask("/short/a", {"Cookie": f"Short-0={cookies['Short-0']}"})
    checks.equal("after its timeout a session leads to a login", answer.status, 302)
    browser.open(f"{scene.url}/short/b")
    checks.equal("which a browser goes through unseen", (browser.url(), scene.told()["x-amzn-oidc-identity"]), (f"{scene.url}/short/b", ["ada"]))
    checks.equal("and which is counted", scene.elbow.metric("elbow_oidc_total", 'event="success"'), began + 1)


def two_tabs(scene: Scene) -> None:
    """Two logins that begin at once in one browser; the address of the second is kept, and visited after the first."""
    checks, browser = scene.checks, scene.browser
    browser.forget()
    browser.open(f"{scene.url}/")
    answer = browser.run_async(FETCH, "/", {})
    checks.equal("a page for all needs no login", told(answer), {})
    first, second = scene.site.ask("/private/first"), None
    cookie = "; ".join(f"{k}={v}" for k, v in first.cookies.items())
    second = scene.site.ask("/private/second", {"Cookie": cookie})
    browser.run("document.cookie = arguments[0] + '; Path=/; Secure'", cookie)
    for answer, path in ((first, "first"), (second, "second")):
        browser.open(answer.fields["Location"])
        seen = (browser.url(), browser.text("body")[:60])
        checks.check(f"the {path} of two tabs gets its page", seen[0] == f"{scene.url}/private/{path}" and "path" in seen[1], seen)
    # What people do when they go back, or reload a page that is slow.
    used = [line["request_url"] for line in scene.elbow.log() if CALLBACK in line["request_url"]][-1]
    browser.open(used)
    seen = (browser.url(), browser.text("body")[:60])
    checks.check("an address that has served its login leads on", seen[0].startswith(f"{scene.url}/private/"), seen)


def large(scene: Scene) -> None:
    checks, browser = scene.checks, scene.browser
    for name in ("many-claims", "too-many-claims"):
        browser.forget()
        browser.open(scene.provider.url + "/session/end")
        browser.forget()
        browser.open(f"{scene.url}/private/{name}")
        scene.log_in(name)
        scene.leave("button[type=submit]")
        shards = sorted(cookie for cookie in browser.cookies() if cookie.startswith(COOKIE))
        if name == "many-claims":
            checks.check("many claims are kept in several cookies", len(shards) > 1, shards)
            checks.equal("and reach the target", scene.told()["x-amzn-oidc-identity"], [name])
            [data] = scene.told()["x-amzn-oidc-data"]
            claims = jwt.decode(data, options={"verify_signature": False})
            checks.equal("all of them", len(claims["note"]), 8 * 1024)
        else:
            checks.in_time("more than 11 KB are refused", lambda: "AuthUserinfoResponseSizeExceeded" in scene.reasons(CALLBACK), 5)
            checks.equal("without a session", shards, [])


def cancelled(scene: Scene) -> None:
    checks, browser = scene.checks, scene.browser
    browser.forget()
    browser.open(scene.provider.url + "/session/end")
    browser.forget()
    browser.open(f"{scene.url}/private/cancelled")
    scene.leave("a[href$=abort]")
    checks.in_time("who cancels at the provider gets 561", lambda: 561 in [line["elb_status_code"] for line in scene.elbow.log()], 5)
    checks.check("from the balancer", browser.url().startswith(f"{scene.url}{CALLBACK}"), browser.url())


def renewed(scene: Scene) -> None:
    checks, browser = scene.checks, scene.browser
    browser.open(f"{scene.url}/brief/a")
    scene.log_in("grace")
    scene.leave("button[type=submit]")
    [first] = scene.told()["x-amzn-oidc-accesstoken"]
    refreshes = lambda: scene.elbow.metric("elbow_oidc_total", 'event="refresh_token_success"')  # noqa: E731
    before = refreshes()
    time.sleep(3.1)
    checks.equal("six requests at once when the access token has ended", browser.run_async(FETCH_SIX), [200] * 6)
    browser.open(f"{scene.url}/brief/b")
    [second] = scene.told()["x-amzn-oidc-accesstoken"]
    checks.check("renew it by the refresh token", second != first and refreshes() > before, (first, second, refreshes()))
    time.sleep(3.1)
    browser.open(f"{scene.url}/brief/c")
    [third] = scene.told()["x-amzn-oidc-accesstoken"]
    checks.check("and again, with the token that came with it", third not in (first, second), third)
    log = (scene.elbow.folder / "provider.log").read_text()
    checks.check("the provider saw no refresh token twice", "grant refused" not in log, log[-500:])


def failing(scene: Scene) -> None:
    checks, provider, browser = scene.checks, scene.provider, scene.browser
    answer = scene.site.ask(*scene.returning("none"))
    checks.check("a code that the provider never gave is 401", answer.status == 401, answer)
    cookies = browser.cookies()
    session = {"Cookie": f"Renewed-0={cookies['Renewed-0']}"}
    path, fields = scene.returning("none")
    time.sleep(3.1)
    provider.pause()
    found: list[object] = []
    asked = [(path, fields), ("/brief/a", session)]
    ask = lambda path, fields: found.append(scene.site.ask(path, fields))  # noqa: E731
    waiting = [threading.Thread(target=ask, args=each) for each in asked]
    for thread in waiting:
        thread.start()
    time.sleep(0.3)
    slow = max(scene.site.ask("/").seconds for _ in range(10))
    away = scene.site.ask("/private/a")
    checks.check("while the provider hangs, others are served", slow < 1 and not found, slow)
    checks.check("and sent to log in", away.status == 302 and away.seconds < 1, away)
    for thread in waiting:
        thread.join(20)
    seen = [(answer.status, round(answer.seconds)) for answer in found]  # type: ignore[attr-defined]
    checks.equal("logins and renewals get 500 after 5 s", seen, [(500, 5)] * 2)
    checks.in_time("and the log says why", lambda: "AuthTokenEpRequestTimeout" in scene.reasons(CALLBACK), 5)
    provider.go_on()
    provider.stop()
    answer = scene.site.ask(*scene.returning("none"))
    checks.check("with the provider gone, a login is 500 at once", answer.status == 500 and answer.seconds < 2, answer)
    checks.equal("who may pass without a user does", scene.site.ask("/allowed/a").status, 200)


def gone(scene: Scene) -> None:
    """The provider comes back, and has forgotten all."""
    checks, browser = scene.checks, scene.browser
    cookies = browser.cookies()
    scene.provider.start()
    answer = scene.site.ask("/brief/a", {"Cookie": f"Renewed-0={cookies['Renewed-0']}"})
    checks.check("a refresh token that is not taken any more leads to a login", answer.status == 302, answer)
    browser.forget()
    browser.open(f"{scene.url}/private/back")
    scene.log_in("ada")
    scene.leave("button[type=submit]")
    scene.provider.stop()
    browser.open(f"{scene.url}/private/again")
    checks.equal("a session needs no provider", scene.told()["x-amzn-oidc-identity"], ["ada"])
    scene.elbow.reload()
    browser.open(f"{scene.url}/private/reloaded")
    checks.equal("nor after a reload", scene.told()["x-amzn-oidc-identity"], ["ada"])


def key_of(elbow: Elbow, certificate: str) -> str:
    """What Chromium calls the key of a certificate that it is to let in."""
    openssl = ["openssl", "x509", "-in", f"{certificate}.pem", "-noout", "-pubkey"]
    key = subprocess.run(openssl, cwd=elbow.folder, capture_output=True, text=True, check=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key.encode(), capture_output=True, check=True).stdout
    digest = subprocess.run(["openssl", "dgst", "-sha256", "-binary"], input=der, capture_output=True, check=True).stdout
    return base64.b64encode(digest).decode()


def main() -> None:
    port, provider_port = free_ports(2)
    redirect = f"https://{HOST}:{port}{CALLBACK}"
    with Elbow("login", SEEN) as elbow, Provider(elbow.folder, provider_port, [redirect]) as provider:
        elbow.configure(listener(port, rules(provider)) + target(serve_echo()))
        elbow.start()
        arguments = [
            f"--host-resolver-rules=MAP {HOST} 127.0.0.1, MAP localhost 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            f"--ignore-certificate-errors-spki-list={key_of(elbow, HOST)},{key_of(elbow, 'localhost')}",
        ]
        with Chromium(elbow.folder / "chromium.log", arguments) as browser:
            scene = Scene(elbow, provider, browser, port)
            for part in (first_login, forged, sessions, two_tabs, large, cancelled, renewed, failing, gone):
                print(f"   {part.__name__.replace('_', ' ')}")
                part(scene)
    scene.checks.end()


if __name__ == "__main__":
    main()
