"""gRPC with grpcio: every kind of call, over TLS and in the clear, how calls end, and health checks."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckResponse

from checks import Checks, free_ports
from elbow import HOST, Elbow

SERVICE = "test.Words"
TRAILER = ("words-end", "well")


class Words:
    """Calls of each kind, in bytes. Knows when the client has given a call up."""

    def __init__(self, name: str) -> None:
        self.name = name.encode()
        self.calls = 0
        self.given_up = threading.Event()

    def say(self, word: bytes, context: grpc.ServicerContext) -> bytes:
        self.calls += 1
        context.send_initial_metadata((("words-begin", "well"),))
        context.set_trailing_metadata((TRAILER, ("words-bin", bytes(range(20)))))
        return word

    def refuse(self, word: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata((TRAILER,))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today: 100% \u00fcber")

    def who(self, _: bytes, __: grpc.ServicerContext) -> bytes:
        self.calls += 1
        return self.name

    def hang(self, _: bytes, context: grpc.ServicerContext) -> bytes:
        ended = threading.Event()
        context.add_callback(ended.set)
        if ended.wait(15):
            self.given_up.set()
        return b"late"

    def repeat(self, count: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        context.set_trailing_metadata((TRAILER,))
        for number in range(int(count)):
            yield str(number).encode() * 500

    def stream(self, _: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        context.add_callback(self.given_up.set)
        for number in range(10_000):
            yield str(number).encode()
            time.sleep(0.02)

    def gather(self, words: Iterator[bytes], _: grpc.ServicerContext) -> bytes:
        return b" ".join(words)

    def talk(self, words: Iterator[bytes], _: grpc.ServicerContext) -> Iterator[bytes]:
        for word in words:
            yield b"you said " + word

    def handlers(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Say": grpc.unary_unary_rpc_method_handler(self.say),
                "Refuse": grpc.unary_unary_rpc_method_handler(self.refuse),
                "Who": grpc.unary_unary_rpc_method_handler(self.who),
                "Hang": grpc.unary_unary_rpc_method_handler(self.hang),
                "Repeat": grpc.unary_stream_rpc_method_handler(self.repeat),
                "Stream": grpc.unary_stream_rpc_method_handler(self.stream),
                "Gather": grpc.stream_unary_rpc_method_handler(self.gather),
                "Talk": grpc.stream_stream_rpc_method_handler(self.talk),
            },
        )


class Server:
    """A target: the words, and the standard health service."""

    def __init__(self, name: str) -> None:
        self.words = Words(name)
        self.health = health.HealthServicer()
        self._server = grpc.server(ThreadPoolExecutor(20))
        self._server.add_generic_rpc_handlers((self.words.handlers(),))
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def stop(self) -> None:
        self._server.stop(None).wait(5)


def configuration(tls_port: int, plain_port: int, servers: list[Server]) -> str:
    group = """
[[target_group]]
name = "{name}"
protocol_version = "{version}"
targets = [{targets}]
health_check = {check}
"""
    check = '{ interval = "500ms", timeout = "400ms", healthy_threshold = 2, unhealthy_threshold = 2, path = "PATH", matcher = "0" }'
    check = check.replace("PATH", "/grpc.health.v1.Health/Check")
    targets = ", ".join(f'{{ address = "127.0.0.1:{server.port}" }}' for server in servers)
    rules = """
rule = [
  { priority = 1, path = ["/nobody.*"], forward = "nobody" },
  { priority = 2, path = ["/gone.*"], forward = "gone" },
  { priority = 3, path = ["/plain.*"], forward = "plain" },
  { priority = 4, path = ["/answered.*"], fixed_response = { status = 403 } },
]
default = { forward = "words" }
"""
    [nobody] = free_ports(1)
    return (
        '[[load_balancer]]\nname = "calls"\nnodes = [{ address = "127.0.0.1" }]\n'
        f'[[load_balancer.listener]]\nport = {tls_port}\nprotocol = "HTTPS"\nTLS\n{rules}'
        f"[[load_balancer.listener]]\nport = {plain_port}\n{rules}"
        + group.format(name="words", version="GRPC", targets=targets, check=check)
        + group.format(name="nobody", version="GRPC", targets="", check="{}")
        + group.format(name="gone", version="GRPC", targets=f'{{ address = "127.0.0.1:{nobody}" }}', check="{ enabled = false }")
        + group.format(name="plain", version="HTTP1", targets=targets, check="{ enabled = false }")
    )


class Caller:
    """One channel."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel

    def unary(self, method: str, service: str = SERVICE) -> grpc.UnaryUnaryMultiCallable:
        return self.channel.unary_unary(f"/{service}/{method}")

    def outcome(self, method: str, service: str = SERVICE, timeout: float = 10) -> tuple[grpc.StatusCode, grpc.RpcError | None]:
        try:
            self.unary(method, service)(b"x", timeout=timeout)
            return grpc.StatusCode.OK, None
        except grpc.RpcError as error:
            return error.code(), error


def all_kinds(checks: Checks, way: str, caller: Caller) -> None:
    channel = caller.channel
    said, call = caller.unary("Say").with_call(b"word", timeout=10, metadata=(("asks-bin", b"\x00\xff"),))
    checks.equal(f"a unary call {way} is answered", said, b"word")
    begin, end = dict(call.initial_metadata()), dict(call.trailing_metadata())
    checks.equal("metadata comes before the answer", begin.get("words-begin"), "well")
    checks.equal("metadata comes after it, bytes too", (end.get(TRAILER[0]), end.get("words-bin")), ("well", bytes(range(20))))
    big = b"x" * 3_000_000
    checks.check("a message of 3 MB comes back", caller.unary("Say")(big, timeout=20) == big)
    stream = channel.unary_stream(f"/{SERVICE}/Repeat")(b"200", timeout=20)
    checks.equal(f"a server's stream {way} has all its messages", len(list(stream)), 200)
    checks.check("and its trailing metadata", TRAILER in tuple(stream.trailing_metadata()), stream.trailing_metadata())
    words = (str(number).encode() for number in range(1_000))
    gathered = channel.stream_unary(f"/{SERVICE}/Gather")(words, timeout=20)
    checks.equal(f"a client's stream {way} is gathered", len(gathered.split()), 1_000)
    talk(checks, way, channel)
    code, error = caller.outcome("Refuse")
    details = error.details() if error else None
    checks.equal("a target's own status and words come through", (code, details), (grpc.StatusCode.FAILED_PRECONDITION, "not today: 100% \u00fcber"))


def talk(checks: Checks, way: str, channel: grpc.Channel) -> None:
    """Says a word only when the last one has been answered."""
    turn = threading.Semaphore(1)

    def words() -> Iterator[bytes]:
        for number in range(50):
            turn.acquire()
            yield str(number).encode()

    heard = []
    for answer in channel.stream_stream(f"/{SERVICE}/Talk")(words(), timeout=20):
        heard.append(answer)
        turn.release()
    checks.equal(f"both sides take turns on one call {way}", heard, [f"you said {number}".encode() for number in range(50)])


def endings(checks: Checks, caller: Caller, elbow: Elbow, servers: list[Server]) -> None:
    def given_up() -> bool:
        return any(server.words.given_up.is_set() for server in servers)

    code, _ = caller.outcome("Hang", timeout=0.5)
    checks.equal("a call that takes too long ends at its deadline", code, grpc.StatusCode.DEADLINE_EXCEEDED)
    checks.in_time("the target is told so", given_up, 5)
    for server in servers:
        server.words.given_up.clear()
    call = caller.unary("Hang").future(b"x", timeout=15)
    time.sleep(0.3)
    call.cancel()
    checks.in_time("a call that the client cancels is cancelled at the target", given_up, 5)
    for server in servers:
        server.words.given_up.clear()
    stream = caller.channel.unary_stream(f"/{SERVICE}/Stream")(b"", timeout=15)
    checks.equal("a stream begins at once", next(stream), b"0")
    stream.cancel()
    checks.in_time("a stream that the client leaves ends at the target", given_up, 5)
    # Whose time is up may be ended by the client, by Elbow or by the target, whoever looks first.
    logged = lambda: {line["elb_status_code"] for line in elbow.log() if "Hang" in line["request_url"]}  # noqa: E731
    checks.in_time("the log has 460 for a call that was given up", lambda: 460 in logged() and logged() <= {200, 460, 504}, 5)


def made_by_the_balancer(checks: Checks, caller: Caller) -> None:
    expected = [
        ("nobody.Words", grpc.StatusCode.UNAVAILABLE, "a group without targets is UNAVAILABLE"),
        ("gone.Words", grpc.StatusCode.UNAVAILABLE, "a target that refuses connections is UNAVAILABLE"),
        ("plain.Words", grpc.StatusCode.UNIMPLEMENTED, "a group for HTTP/1.1 (464) is UNIMPLEMENTED"),
        ("answered.Words", grpc.StatusCode.PERMISSION_DENIED, "a fixed response 403 is PERMISSION_DENIED"),
    ]
    for service, code, claim in expected:
        found, error = caller.outcome("Say", service)
        checks.equal(claim, found, code)
        if code is grpc.StatusCode.UNAVAILABLE:
            checks.check("with words of why", error and error.details(), error)


def health_checks(checks: Checks, caller: Caller, elbow: Elbow, servers: list[Server]) -> None:
    healthy = lambda: elbow.metric("elbow_healthy_hosts", 'target_group="words"')  # noqa: E731
    first, second = servers
    checks.in_time("both targets pass the health service's check", lambda: healthy() == 2)
    names = {caller.unary("Who")(b"", timeout=5) for _ in range(20)}
    checks.equal("both are called", names, {b"first", b"second"})
    first.health.set("", HealthCheckResponse.NOT_SERVING)
    checks.in_time("a target that says NOT_SERVING leaves", lambda: healthy() == 1)
    names = {caller.unary("Who")(b"", timeout=5) for _ in range(20)}
    checks.equal("all calls go to the other one", names, {b"second"})
    first.health.set("", HealthCheckResponse.SERVING)
    checks.in_time("it comes back when it is SERVING", lambda: healthy() == 2)
    names = {caller.unary("Who")(b"", timeout=5) for _ in range(20)}
    checks.equal("and is called again", names, {b"first", b"second"})


def main() -> None:
    checks = Checks()
    servers = [Server("first"), Server("second")]
    tls_port, plain_port = free_ports(2)
    with Elbow("grpc") as elbow:
        elbow.configure(configuration(tls_port, plain_port, servers))
        elbow.start()
        credentials = grpc.ssl_channel_credentials(elbow.authority.read_bytes())
        options = (("grpc.ssl_target_name_override", HOST), ("grpc.enable_http_proxy", 0))
        secure = Caller(grpc.secure_channel(f"127.0.0.1:{tls_port}", credentials, options))
        plain = Caller(grpc.insecure_channel(f"127.0.0.1:{plain_port}", options[1:]))
        checks.in_time("targets are healthy", lambda: elbow.metric("elbow_healthy_hosts", 'target_group="words"') == 2)
        all_kinds(checks, "over TLS", secure)
        all_kinds(checks, "in the clear", plain)
        endings(checks, secure, elbow, servers)
        made_by_the_balancer(checks, secure)
        health_checks(checks, secure, elbow, servers)
        checks.equal("no connection was taken for a flood", elbow.metric("elbow_http2_floods_total"), 0.0)
        secure.channel.close()
        plain.channel.close()
    for server in servers:
        server.stop()
    checks.end()


if __name__ == "__main__":
    main()
