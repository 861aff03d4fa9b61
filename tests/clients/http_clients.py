"""h2load and curl over every version of HTTP that runs on TCP: all is answered, and answered in that version."""

import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from checks import Checks, free_ports
from elbow import HOST, Elbow

LARGE = 20_000_000


class Site(BaseHTTPRequestHandler):
    """`/bytes/N` has so many, a POST comes back, all else says its own path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        size = self.path.removeprefix("/bytes/")
        self._answer(b"0123456789" * (int(size) // 10) if size.isdigit() else self.path.encode())

    def do_POST(self) -> None:
        self._answer(self._body())

    def _body(self) -> bytes:
        if length := self.headers.get("Content-Length"):
            return self.rfile.read(int(length))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class SiteServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 200

    def handle_error(self, *_: object) -> None:
        """Whoever leaves in the middle is no error of the site's."""


def serve_site() -> int:
    server = SiteServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def configuration(plain_port: int, tls_port: int, target: int) -> str:
    default = 'default = { forward = "site" }\nrule = [{ priority = 1, path = ["/hello"], fixed_response = { status = 200, body = "hello" } }]'
    return f"""
[[load_balancer]]
name = "web"
nodes = [{{ address = "127.0.0.1" }}]
[[load_balancer.listener]]
port = {plain_port}
{default}
[[load_balancer.listener]]
port = {tls_port}
protocol = "HTTPS"
TLS
{default}
[[target_group]]
name = "site"
targets = [{{ address = "127.0.0.1:{target}" }}]
health_check = {{ enabled = false }}
"""


def load(checks: Checks, way: str, requests: int, *arguments: str) -> None:
    """One run of h2load in which every request must be answered with 200."""
    command = ["h2load", f"--requests={requests}", "--clients=10", "--threads=2", *arguments]
    told = subprocess.run(command, capture_output=True, text=True, timeout=120)
    counted = re.search(r"(\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed", told.stdout)
    spoken = re.search(r"Application protocol: (\S+)", told.stdout)
    seen = (counted and tuple(int(count) for count in counted.groups()), spoken and spoken[1])
    checks.equal(f"h2load gets all it asks for {way}", seen, ((requests, requests, requests, 0), way.split()[-1]))


def loads(checks: Checks, plain_port: int, tls_port: int) -> None:
    plain, secure = f"http://127.0.0.1:{plain_port}", f"https://127.0.0.1:{tls_port}"
    many = ["--max-concurrent-streams=50"]
    load(checks, "over TLS by h2", 5_000, *many, f"{secure}/hello")
    load(checks, "from a target over TLS by h2", 3_000, *many, f"{secure}/page")
    load(checks, "by prior knowledge in h2c", 5_000, *many, f"{plain}/hello")
    load(checks, "over TLS in http/1.1", 3_000, "--h1", f"{secure}/hello")
    load(checks, "in the clear in http/1.1", 3_000, "--h1", f"{plain}/page")
    load(checks, "with a window of 1 KiB by h2", 40, "--max-concurrent-streams=2", "--window-bits=10", f"{secure}/page?{'x' * 3000}")
    with_body = ["--max-concurrent-streams=10", f"--data={Path(__file__)}"]
    load(checks, "with bodies over TLS by h2", 1_000, *with_body, f"{secure}/post")


class Curl:
    """curl that trusts Elbow's authority."""

    def __init__(self, elbow: Elbow, port: int) -> None:
        self._always = ["curl", "-sS", "--max-time", "60", "--cacert", str(elbow.authority)]
        self._always += ["--noproxy", "*", "--resolve", f"{HOST}:{port}:127.0.0.1"]

    def get(self, *arguments: str) -> tuple[str, str]:
        """The version, and the body or, if it is long, its length."""
        told = subprocess.run([*self._always, "-w", "\n%{http_version}", *arguments], capture_output=True, text=True, timeout=90)
        body, _, version = told.stdout.rpartition("\n")
        return version or told.stderr, body if len(body) < 1000 else str(len(body))


def curls(checks: Checks, elbow: Elbow, plain_port: int, tls_port: int) -> None:
    own = str(len(Path(__file__).read_text()))
    for port, scheme, how, version in [
        (plain_port, "http", "--http1.0", "1.0"),
        (plain_port, "http", "--http1.1", "1.1"),
        (plain_port, "http", "--http2", "1.1"),
        (plain_port, "http", "--http2-prior-knowledge", "2"),
        (tls_port, "https", "--http1.1", "1.1"),
        (tls_port, "https", "--http2", "2"),
        (tls_port, "https", "--http2-prior-knowledge", "2"),
    ]:
        curl, site = Curl(elbow, port), f"{scheme}://{HOST}:{port}"
        # 1.0 is answered as 1.1, whose framing it does not get (RFC 9110 section 2.5).
        answered = {"1.0": "1.1"}.get(version, version)
        checks.equal(f"curl {how} gets a page over {scheme}", curl.get(how, f"{site}/page"), (answered, "/page"))
        checks.equal("and a large one", curl.get(how, f"{site}/bytes/{LARGE}"), (answered, str(LARGE)))
        checks.equal("and sends a body", curl.get(how, "--data-binary", f"@{__file__}", f"{site}/post"), (answered, own))
        if version != "1.0":
            sent = curl.get(how, "-H", "Transfer-Encoding: chunked", "--data-binary", f"@{__file__}", f"{site}/post")
            checks.equal("and one of unknown length", sent, (answered, own))
    connections = elbow.metric("elbow_new_connections_total")
    urls = [f"https://{HOST}:{tls_port}/page/{number}" for number in range(20)]
    curl = Curl(elbow, tls_port)
    pages = "".join(curl.get("--http2", "--parallel", "--parallel-max", "20", "-w", "", *urls))
    checks.equal("twenty transfers at once all come", sorted(pages.split("/page/")[1:], key=int), [str(each) for each in range(20)])
    checks.equal("on one connection", elbow.metric("elbow_new_connections_total") - connections, 1.0)


def main() -> None:
    checks = Checks()
    plain_port, tls_port = free_ports(2)
    with Elbow("http") as elbow:
        elbow.configure(configuration(plain_port, tls_port, serve_site()))
        elbow.start()
        loads(checks, plain_port, tls_port)
        curls(checks, elbow, plain_port, tls_port)
        checks.equal("no request ended in an error", elbow.metric("elbow_errors_total"), 0.0)
        checks.equal("no connection was taken for a flood", elbow.metric("elbow_http2_floods_total"), 0.0)
    checks.end()


if __name__ == "__main__":
    main()
