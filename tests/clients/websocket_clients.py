"""WebSocket with websockets (HTTP/1.1), h2 (RFC 8441), and Autobahn's test cases as kosoku runs them."""

import asyncio
import re
import socket
import threading
from collections.abc import Iterator

import h2.config
import h2.connection
import h2.events
import h2.settings
import kosoku
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import CloseCode, Opcode
from websockets.protocol import CLIENT, OPEN, Protocol

from checks import Checks, free_ports
from elbow import HOST, Elbow

BIG = 6_000_000


class Target:
    """Says everything again, and notes how connections end. `/goodbye` ends them itself."""

    def __init__(self) -> None:
        self.closed: list[tuple[int | None, str]] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        threading.Thread(target=self._run, args=(started,), daemon=True).start()
        started.wait(10)

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve(started))

    async def _serve(self, started: threading.Event) -> None:
        server: Server = await serve(
            self._echo, "127.0.0.1", 0, max_size=None, select_subprotocol=self._agree, ping_interval=None, close_timeout=2
        )
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await server.serve_forever()

    @staticmethod
    def _agree(_: ServerConnection, offered: list[str]) -> str | None:
        return "chat.v2" if "chat.v2" in offered else None

    async def _echo(self, connection: ServerConnection) -> None:
        if connection.request and connection.request.path == "/goodbye":
            return await connection.close(4001, "goodbye \u00fc")
        try:
            async for message in connection:
                await connection.send(message)
        except ConnectionClosed:
            pass
        await connection.wait_closed()
        self.closed.append((connection.close_code, connection.close_reason or ""))


def configuration(plain_port: int, tls_port: int, target: Target) -> str:
    return f"""
[[load_balancer]]
name = "sockets"
nodes = [{{ address = "127.0.0.1" }}]
[[load_balancer.listener]]
port = {plain_port}
default = {{ forward = "echo" }}
rule = [{{ priority = 1, path = ["/refused"], fixed_response = {{ status = 403 }} }}]
[[load_balancer.listener]]
port = {tls_port}
protocol = "HTTPS"
TLS
default = {{ forward = "echo" }}
rule = [{{ priority = 1, path = ["/refused"], fixed_response = {{ status = 403 }} }}]
[[target_group]]
name = "echo"
targets = [{{ address = "127.0.0.1:{target.port}" }}]
health_check = {{ enabled = false }}
"""


async def talks(checks: Checks, way: str, client: ClientConnection) -> None:
    for name, message in [("text", "gr\u00fc\u00dfe"), ("bytes", bytes(range(256))), ("nothing", "")]:
        await client.send(message)
        checks.equal(f"{name} comes back {way}", await asyncio.wait_for(client.recv(), 10), message)
    await client.send("x" * BIG)
    back = await asyncio.wait_for(client.recv(), 30)
    checks.equal(f"{BIG} bytes come back in one message", len(back), BIG)
    await client.send(["in ", "three ", "pieces"])
    checks.equal("a message in fragments comes back", await asyncio.wait_for(client.recv(), 10), "in three pieces")
    for _ in range(3):
        await asyncio.wait_for(await client.ping(b"are you there"), 10)
    checks.check("pings are answered", client.latency > 0)
    checks.equal("the subprotocol is the one that was agreed on", client.subprotocol, "chat.v2")


async def over_http1(checks: Checks, elbow: Elbow, target: Target, way: str, url: str) -> None:
    tls = elbow.tls() if url.startswith("wss") else None
    options = {"host": "127.0.0.1", "ssl": tls, "server_hostname": HOST if tls else None, "proxy": None, "max_size": None, "compression": None}
    async with connect(url + "/", subprotocols=["chat.v2"], **options) as client:
        await talks(checks, way, client)
        await client.close(4002, "enough")
    checks.in_time("the target learns the client's close code and reason", lambda: (4002, "enough") in target.closed, 5)
    target.closed.clear()
    async with connect(url + "/goodbye", **options) as client:
        try:
            await asyncio.wait_for(client.recv(), 10)
        except ConnectionClosed as closed:
            seen = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else None
            checks.equal("the client learns the target's", seen, (4001, "goodbye \u00fc"))
    client = await connect(url + "/", **options)
    client.transport.abort()
    await asyncio.sleep(0)  # lets it happen
    checks.in_time("a client that vanishes is told to the target as 1006", lambda: (CloseCode.ABNORMAL_CLOSURE, "") in target.closed, 5)
    target.closed.clear()
    try:
        await connect(url + "/refused", **options)
        checks.check("a handshake that a rule answers is refused", False, "it went through")
    except InvalidStatus as refused:
        checks.equal("a handshake that a rule answers is refused", refused.response.status_code, 403)


class Http2Socket:
    """One WebSocket in a stream of HTTP/2."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._http2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self._http2.initiate_connection()
        self._websocket = Protocol(CLIENT, state=OPEN, max_size=None)
        self.stream = 0
        self.status = ""
        self.offered = False
        self.ended = False

    def open(self, authority: str) -> None:
        self._flush()
        while not self.offered:
            self._receive()
        self.stream = self._http2.get_next_available_stream_id()
        head = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/"), (":authority", authority)]
        self._http2.send_headers(self.stream, [*head, ("sec-websocket-version", "13"), ("sec-websocket-protocol", "chat.v2")])
        self._flush()
        while not self.status:
            self._receive()

    def say(self, text: str) -> Iterator[bytes]:
        """Sends a message, and gives the ones that come."""
        self._websocket.send_text(text.encode())
        yield from self._messages()

    def close(self) -> int | None:
        self._websocket.send_close(4003, "over http/2")
        for _ in self._messages(until_closed=True):
            pass
        closed = self._websocket.close_rcvd
        return closed.code if closed else None

    def _messages(self, until_closed: bool = False) -> Iterator[bytes]:
        message = b""
        while not self.ended:
            self._send(b"".join(self._websocket.data_to_send()))
            for frame in self._websocket.events_received():
                if frame.opcode in (Opcode.TEXT, Opcode.CONT):
                    message += frame.data
                    if frame.fin:
                        yield message
                        message = b""
                        if not until_closed:
                            return
                if frame.opcode is Opcode.CLOSE:
                    return
            self._receive()

    def _send(self, data: bytes) -> None:
        while data:
            room = min(self._http2.local_flow_control_window(self.stream), self._http2.max_outbound_frame_size)
            if room:
                self._http2.send_data(self.stream, data[:room])
                data = data[room:]
                self._flush()
            else:
                self._receive()

    def _receive(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("elbow has closed")
        for event in self._http2.receive_data(data):
            match event:
                case h2.events.RemoteSettingsChanged():
                    self.offered = self._http2.remote_settings.enable_connect_protocol == 1
                case h2.events.ResponseReceived():
                    self.status = dict(event.headers).get(b":status", b"").decode()
                case h2.events.DataReceived():
                    self._http2.acknowledge_received_data(event.flow_controlled_length, self.stream)
                    self._websocket.receive_data(event.data)
                case h2.events.StreamEnded() | h2.events.StreamReset() | h2.events.ConnectionTerminated():
                    self.ended = True
        self._flush()

    def _flush(self) -> None:
        self._socket.sendall(self._http2.data_to_send())


def over_http2(checks: Checks, elbow: Elbow, target: Target, tls_port: int) -> None:
    raw = socket.create_connection(("127.0.0.1", tls_port), timeout=20)
    with elbow.tls(["h2"]).wrap_socket(raw, server_hostname=HOST) as connection:
        checks.equal("HTTP/2 is agreed on", connection.selected_alpn_protocol(), "h2")
        client = Http2Socket(connection)
        client.open(f"{HOST}:{tls_port}")
        checks.equal("a WebSocket opens in a stream of HTTP/2 (RFC 8441)", client.status, "200")
        checks.equal("a message comes back in it", list(client.say("over http/2")), [b"over http/2"])
        [big] = client.say("y" * 1_000_000)
        checks.equal("a megabyte, too", len(big), 1_000_000)
        checks.equal("the close code comes back", client.close(), 4003)
    checks.in_time("and reaches the target", lambda: (4003, "over http/2") in target.closed, 5)
    target.closed.clear()


def bytes_in_log(checks: Checks, elbow: Elbow) -> None:
    """One line at the end of each, with what went through."""
    for kind in ("ws", "wss"):
        lines = lambda kind=kind: [line for line in elbow.log() if line["type"] == kind and line["received_bytes"] > BIG]  # noqa: E731
        checks.in_time(f"the access log has a line of type {kind} with all bytes", lambda lines=lines: lines() and lines()[0]["sent_bytes"] > BIG, 5)
        checks.equal("and the status 101", [line["elb_status_code"] for line in lines()], [101])


async def autobahn(address: str) -> dict[str, bool]:
    """Each of Autobahn's cases, and whether it passes. Of those about speed (9) and compression (12, 13) a few: a
    proxy sees bytes."""
    slow = ["9.1.4", "9.1.5", "9.1.6", "9.2.4", "9.2.5", "9.2.6", "9.3.*", "9.4.*", "9.5.*", "9.6.*", "9.7.*", "9.8.*"]
    squeezed = [f"{part}.{group}.{number}" for part in (12, 13) for group in range(1, 8) for number in range(3, 19)]
    try:
        results = await kosoku.run_fuzzingclient(f"ws://{address}", exclude_cases=[*slow, *squeezed], concurrency=4)
    except kosoku.FailureError as failure:
        results = failure.results
    return {result.case_id: result.passed for result in results}


def cases(checks: Checks, target: Target, plain_port: int) -> None:
    direct = asyncio.run(autobahn(f"127.0.0.1:{target.port}"))
    through = asyncio.run(autobahn(f"127.0.0.1:{plain_port}"))
    worse = sorted(case for case, passed in direct.items() if passed and not through.get(case))
    checks.check(f"{sum(through.values())} of Autobahn's {len(through)} cases pass through Elbow, and all that pass without it", len(through) > 250 and not worse, worse)


def main() -> None:
    checks = Checks()
    target = Target()
    plain_port, tls_port = free_ports(2)
    with Elbow("websocket") as elbow:
        elbow.configure(configuration(plain_port, tls_port, target))
        elbow.start()
        asyncio.run(over_http1(checks, elbow, target, "by ws", f"ws://{HOST}:{plain_port}"))
        asyncio.run(over_http1(checks, elbow, target, "by wss", f"wss://{HOST}:{tls_port}"))
        over_http2(checks, elbow, target, tls_port)
        bytes_in_log(checks, elbow)
        cases(checks, target, plain_port)
        checks.in_time("no connection stays upgraded", lambda: elbow.metric("elbow_upgraded_connections") == 0, 10)
    checks.end()


if __name__ == "__main__":
    main()
