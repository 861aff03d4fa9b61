"""HTTP/3 with aioquic: found by Alt-Svc, bodies both ways, a reload during use, certificates of clients, early data."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, QuicEvent, StreamReset
from aioquic.tls import SessionTicket

from checks import Checks, free_ports
from elbow import HOST, Elbow
from http_clients import Curl, serve_site

# aioquic is slower than curl, and slower still where others are at work.
LARGE = 5_000_000


class Response:
    """What has come of one, and a mark that is set at its end."""

    def __init__(self) -> None:
        self.status = 0
        self.fields: dict[str, str] = {}
        self.body = bytearray()
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()


class Http3Client(QuicConnectionProtocol):
    """Requests on one connection."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        self._http = H3Connection(self._quic)
        self._responses: dict[int, Response] = {}

    def ask(self, path: str, method: str = "GET", body: bytes | None = None) -> Response:
        stream = self._quic.get_next_available_stream_id()
        response = self._responses[stream] = Response()
        head = [(b":method", method.encode()), (b":scheme", b"https"), (b":authority", HOST.encode()), (b":path", path.encode())]
        self._http.send_headers(stream, head, end_stream=body is None)
        if body is not None:
            self._http.send_data(stream, body, end_stream=True)
        self.transmit()
        return response

    async def get(self, path: str, method: str = "GET", body: bytes | None = None) -> Response:
        response = self.ask(path, method, body)
        await asyncio.wait_for(response.ended.wait(), 90)
        return response

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ConnectionTerminated):
            for response in self._responses.values():
                response.ended.set()
        if isinstance(event, StreamReset) and event.stream_id in self._responses:
            self._responses[event.stream_id].ended.set()
        for found in self._http.handle_event(event):
            if not isinstance(found, (HeadersReceived, DataReceived)):
                continue
            response = self._responses[found.stream_id]
            if isinstance(found, HeadersReceived) and not response.status:
                response.fields = {name.decode(): value.decode() for name, value in found.headers}
                response.status = int(response.fields[":status"])
                response.begun.set()
            elif isinstance(found, DataReceived):
                response.body += found.data
            if found.stream_ended:
                response.ended.set()


@asynccontextmanager
async def visit(elbow: Elbow, port: int, certificate: Path | None = None) -> AsyncIterator[Http3Client]:
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=HOST, idle_timeout=20)
    configuration.load_verify_locations(str(elbow.authority))
    if certificate:
        configuration.load_cert_chain(str(certificate), str(certificate.with_suffix(".key")))
    async with connect("127.0.0.1", port, configuration=configuration, create_protocol=Http3Client) as client:
        yield client


@asynccontextmanager
async def come_back(elbow: Elbow, port: int, tickets: list[SessionTicket]) -> AsyncIterator[Http3Client]:
    """With the last of these tickets, which is used up, and without waiting for the handshake; collects those that it is given."""
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=HOST, idle_timeout=20)
    configuration.load_verify_locations(str(elbow.authority))
    configuration.session_ticket = tickets.pop() if tickets else None
    options = {"create_protocol": Http3Client, "session_ticket_handler": tickets.append, "wait_connected": False}
    async with connect("127.0.0.1", port, configuration=configuration, **options) as client:
        yield client


def configuration(port: int, strict_port: int, early_port: int, target: int, body: str) -> str:
    return f"""
[[trust_store]]
name = "clients"
ca_certificates = "clients.pem"
[[load_balancer]]
name = "web"
nodes = [{{ address = "127.0.0.1" }}]
[[load_balancer.listener]]
port = {port}
protocol = "HTTPS"
http3 = true
TLS
default = {{ forward = "site" }}
rule = [{{ priority = 1, path = ["/hello"], fixed_response = {{ status = 200, body = "{body}" }} }}]
[[load_balancer.listener]]
port = {strict_port}
protocol = "HTTPS"
http3 = true
TLS
mutual_authentication = {{ mode = "verify", trust_store = "clients" }}
default = {{ fixed_response = {{ status = 200, body = "welcome" }} }}
[[load_balancer.listener]]
port = {early_port}
protocol = "HTTPS"
http3 = true
early_data = true
TLS
default = {{ forward = "site" }}
rule = [{{ priority = 1, header = [{{ name = "early-data", values = ["1"] }}], fixed_response = {{ status = 200, body = "early" }} }}]
[[target_group]]
name = "site"
targets = [{{ address = "127.0.0.1:{target}" }}]
health_check = {{ enabled = false }}
"""


def make_clients(folder: Path) -> None:
    """Certificates of clients: `friend` by the authority that is trusted, `stranger` by another."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3"]
    for authority, client in [("clients", "friend"), ("others", "stranger")]:
        openssl("req", "-x509", *key, "-subj", f"/CN={authority}", "-keyout", f"{authority}.key", "-out", f"{authority}.pem")
        openssl("req", *key, "-subj", f"/CN={client}", "-keyout", f"{client}.key", "-out", f"{client}.csr")
        extension = folder / f"{client}.ext"
        extension.write_text("basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n")
        signed = ["-CA", f"{authority}.pem", "-CAkey", f"{authority}.key", "-CAcreateserial", "-days", "3"]
        openssl("x509", "-req", "-in", f"{client}.csr", *signed, "-extfile", extension.name, "-out", f"{client}.pem")


async def bodies(checks: Checks, elbow: Elbow, port: int) -> None:
    async with visit(elbow, port) as client:
        page = await client.get("/page")
        checks.equal("a page comes by HTTP/3", (page.status, bytes(page.body)), (200, b"/page"))
        for size in (0, 1, 70_000, 1_000_000):
            sent = bytes(range(256)) * (size // 256) + bytes(size % 256)
            back = await client.get("/post", "POST", sent)
            checks.check(f"{size} bytes go there and come back", back.body == sent, f"{back.status}, {len(back.body)} bytes")
        large = await client.get(f"/bytes/{LARGE}")
        checks.equal("a large download comes whole", len(large.body), LARGE)
        pages = await asyncio.gather(*(client.get(f"/page/{number}") for number in range(100)))
        right = [bytes(page.body) == f"/page/{number}".encode() for number, page in enumerate(pages)]
        checks.check("a hundred requests share the connection", all(right), right)
    for _ in range(3):
        async with visit(elbow, port) as client:
            await client.get("/page")
    # aioquic names no agent of its own; curl, which came before, does.
    types = lambda: {(line["type"], line["request_proto"]) for line in elbow.log() if line["user_agent"] is None}  # noqa: E731
    checks.in_time("the access log says h3", lambda: types() == {("h3", "HTTP/3.0")}, 5)


async def reload(checks: Checks, elbow: Elbow, port: int, changed: str) -> None:
    async with visit(elbow, port) as client:
        before = await client.get("/hello")
        large = client.ask(f"/bytes/{LARGE}")
        await asyncio.wait_for(large.begun.wait(), 10)
        elbow.configure(changed)
        await asyncio.to_thread(elbow.reload)
        after = await client.get("/hello")
        checks.equal("a reload is seen on the same connection", (bytes(before.body), bytes(after.body)), (b"before", b"after"))
        await asyncio.wait_for(large.ended.wait(), 90)
        checks.equal("and the download that was under way comes whole", len(large.body), LARGE)


async def mutual(checks: Checks, elbow: Elbow, port: int) -> None:
    async with visit(elbow, port, elbow.folder / "friend.pem") as client:
        page = await client.get("/")
        checks.equal("a client with a certificate is welcome", bytes(page.body), b"welcome")
    for name, certificate in [("a stranger", elbow.folder / "stranger.pem"), ("a client without a certificate", None)]:
        try:
            async with visit(elbow, port, certificate) as client:
                page = await asyncio.wait_for(client.get("/"), 5)
                checks.check(f"{name} is not", not page.status, page.body)
        except (ConnectionError, TimeoutError) as refused:
            checks.check(f"{name} is not", isinstance(refused, ConnectionError), repr(refused))


async def early(checks: Checks, elbow: Elbow, port: int) -> None:
    tickets: list[SessionTicket] = []
    fates = lambda: [elbow.metric("elbow_early_requests_total", f'fate="{fate}"') for fate in ("served", "waited")]  # noqa: E731
    async with come_back(elbow, port, tickets) as client:
        page = await client.get("/page")
        checks.equal("a client that comes for the first time is not early", bytes(page.body), b"/page")
    checks.check("and is given tickets for early data", any(ticket.max_early_data_size for ticket in tickets), tickets)
    # One each: aioquic sends no more than its first packets at once.
    async with come_back(elbow, port, tickets) as client:
        got = await client.get("/page")
        checks.check("its early data is taken when it comes back", client._quic.tls.early_data_accepted, fates())
        checks.equal("a GET goes on early, and says so", bytes(got.body), b"early")
        later = await client.get("/page")
        checks.equal("what comes later is not early", bytes(later.body), b"/page")
    async with come_back(elbow, port, tickets) as client:
        posted = await client.get("/post", "POST", b"said early")
        checks.equal("a POST waits, and comes whole", bytes(posted.body), b"said early")
    checks.equal("both are counted", fates(), [1.0, 1.0])


def alternative(checks: Checks, elbow: Elbow, port: int) -> int:
    """Where curl is told that HTTP/3 is."""
    told = Curl(elbow, port).get("--http2", "-o", "/dev/null", "-D", "-", f"https://{HOST}:{port}/page")
    found = re.search(r'alt-svc: h3=":(\d+)"; ma=\d+', "\n".join(told))
    checks.equal("HTTP/2 tells by Alt-Svc where HTTP/3 is", found and int(found[1]), port)
    return int(found[1]) if found else port


def main() -> None:
    checks = Checks()
    port, strict_port, early_port = free_ports(3)
    target = serve_site()
    with Elbow("http3") as elbow:
        make_clients(elbow.folder)
        elbow.configure(configuration(port, strict_port, early_port, target, "before"))
        elbow.start()
        found = alternative(checks, elbow, port)
        asyncio.run(bodies(checks, elbow, found))
        changed = configuration(port, strict_port, early_port, target, "after")
        asyncio.run(reload(checks, elbow, port, changed))
        asyncio.run(mutual(checks, elbow, strict_port))
        asyncio.run(early(checks, elbow, early_port))
        checks.equal("no request panicked", elbow.metric("elbow_errors_total", 'reason="Panicked"'), 0.0)
    checks.end()


if __name__ == "__main__":
    main()
