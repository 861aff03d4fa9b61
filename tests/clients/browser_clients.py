"""Chromium at an HTTPS site behind Elbow: which protocol it chose, by its own account; WebSocket within HTTP/2."""

import base64
import hashlib
import subprocess
import time

from checks import Checks, free_ports
from chromium import Chromium
from elbow import HOST, Elbow
from http_clients import serve_site
from websocket_clients import Target

PROTOCOL = "return performance.getEntriesByType('navigation')[0].nextHopProtocol"
FETCH = """
const done = arguments[arguments.length - 1];
Promise.all([...Array(50).keys()].map(number => fetch('/page/' + number).then(answer => answer.text())))
    .then(texts => done(texts.join(' ')), error => done('' + error));
"""
POST = """
const done = arguments[arguments.length - 1];
fetch('/post', {method: 'POST', body: 'x'.repeat(1000000)}).then(answer => answer.text())
    .then(text => done(text.length), error => done('' + error));
"""
WEBSOCKET = """
const done = arguments[arguments.length - 1];
const socket = new WebSocket('wss://' + location.host + '/socket', 'chat.v2');
socket.onopen = () => socket.send('from a page');
socket.onmessage = message => { socket.close(4000, 'done'); done(socket.protocol + ': ' + message.data); };
socket.onerror = () => done('an error');
"""


def configuration(port: int, http3_port: int, site: int, echo: int) -> str:
    listener = """
[[load_balancer.listener]]
port = {port}
protocol = "HTTPS"
http3 = {http3}
TLS
default = {{ forward = "site" }}
rule = [{{ priority = 1, path = ["/socket"], forward = "echo" }}]
"""
    group = '[[target_group]]\nname = "{name}"\ntargets = [{{ address = "127.0.0.1:{port}" }}]\nhealth_check = {{ enabled = false }}\n'
    return (
        '[[load_balancer]]\nname = "web"\nnodes = [{ address = "127.0.0.1" }]\n'
        + listener.format(port=port, http3="false")
        + listener.format(port=http3_port, http3="true")
        + group.format(name="site", port=site)
        + group.format(name="echo", port=echo)
    )


def key_of(elbow: Elbow) -> str:
    """What Chromium calls the key of the site's certificate: it lets whoever has it in, whoever vouches for it."""
    openssl = ["openssl", "x509", "-in", f"{HOST}.pem", "-noout", "-pubkey"]
    key = subprocess.run(openssl, cwd=elbow.folder, capture_output=True, text=True, check=True).stdout
    body = "".join(line for line in key.splitlines() if not line.startswith("-"))
    return base64.b64encode(hashlib.sha256(base64.b64decode(body)).digest()).decode()


def look(checks: Checks, browser: Chromium, url: str, protocol: str) -> None:
    browser.open(f"{url}/page")
    checks.equal(f"the page is there by {protocol}", (browser.text("body"), browser.run(PROTOCOL)), ("/page", protocol))
    texts = browser.run_async(FETCH)
    checks.equal("fifty more at once", texts, " ".join(f"/page/{number}" for number in range(50)))
    checks.equal("a megabyte that it sends comes back", browser.run_async(POST), 1_000_000)


def websocket(checks: Checks, browser: Chromium, elbow: Elbow) -> None:
    checks.equal("a page's WebSocket works", browser.run_async(WEBSOCKET), "chat.v2: from a page")
    sockets = lambda: [(line["type"], line["request_proto"]) for line in elbow.log() if "/socket" in line["request_url"]]  # noqa: E731
    checks.in_time("in a stream of the page's connection (RFC 8441)", lambda: sockets() == [("wss", "HTTP/2.0")], 10)


def main() -> None:
    checks = Checks()
    port, http3_port = free_ports(2)
    with Elbow("browser") as elbow:
        elbow.configure(configuration(port, http3_port, serve_site(), Target().port))
        elbow.start()
        usual = [f"--host-resolver-rules=MAP {HOST} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        usual.append(f"--ignore-certificate-errors-spki-list={key_of(elbow)}")
        with Chromium(elbow.folder / "chromium.log", usual) as browser:
            look(checks, browser, f"https://{HOST}:{port}", "h2")
            websocket(checks, browser, elbow)
        quic = ["--enable-quic", f"--origin-to-force-quic-on={HOST}:{http3_port}"]
        with Chromium(elbow.folder / "chromium-quic.log", [*usual, *quic]) as browser:
            look(checks, browser, f"https://{HOST}:{http3_port}", "h3")
        # It follows Alt-Svc only to who is vouched for publicly, or to a host that is named here, at whatever port.
        vouched = ["--enable-quic", f"--origin-to-force-quic-on={HOST}:1"]
        with Chromium(elbow.folder / "chromium-alternative.log", [*usual, *vouched]) as browser:
            found = []
            for _ in range(20):
                browser.open(f"https://{HOST}:{http3_port}/page")
                found.append(browser.run(PROTOCOL))
                if found[-1] == "h3":
                    break
                time.sleep(0.3)
            checks.equal("it comes by h2, is told of h3, and takes it", (found[0], found[-1]), ("h2", "h3"))
        types = {line["type"] for line in elbow.log()}
        checks.check("the access log says h2 and h3", {"h2", "h3"} <= types, types)
    checks.end()


if __name__ == "__main__":
    main()
