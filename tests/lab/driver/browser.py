"""A visitor of the plain kind: requests with cookies, without following redirects."""

import functools
import http.client
import json
import socket
import ssl
import urllib.parse
from dataclasses import dataclass
from typing import Any

import balancer
import settings


@dataclass(frozen=True)
class Door:
    """Where a visitor comes in: an address, and whether TLS is spoken there."""

    address: str
    tls: bool

    def connect(self, timeout: float) -> http.client.HTTPConnection:
        """A connection to the site; its certificate must be the lab authority's, made out to the site's name."""
        if not self.tls:
            return http.client.HTTPConnection(self.address, 80, timeout=timeout)
        connection = _Https(settings.HOST, 443, timeout=timeout, context=_trust())
        connection.reach = self.address
        return connection


DIRECT = Door(settings.WP_A.address, tls=False)  # phases 1 and 2
NODE_A = Door(settings.NODE_A, tls=True)
NODE_C = Door(settings.NODE_C, tls=True)


class _Https(http.client.HTTPSConnection):
    """To an address of ours, though the certificate is for the name."""

    reach = ""

    def connect(self) -> None:
        plain = socket.create_connection((self.reach, 443), self.timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = _trust().wrap_socket(plain, server_hostname=settings.HOST)


@functools.cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(balancer.AUTHORITY_CERTIFICATE))


@dataclass(frozen=True)
class Answer:
    status: int
    target: str  # which host answered; empty if the balancer did
    location: str
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        return json.loads(self.body)

    def __str__(self) -> str:
        return f"{self.status} {self.location} from {self.target or 'the balancer'}: {self.text[:200]!r}"


class Browser:
    def __init__(self, door: Door) -> None:
        self._door = door
        self.cookies: dict[str, str] = {}

    @property
    def url(self) -> str:
        return settings.URL if self._door.tls else settings.DIRECT_URL

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        return self.request("GET", path, None, headers or {})

    def post_form(self, path: str, fields: dict[str, str]) -> Answer:
        form = urllib.parse.urlencode(fields).encode()
        return self.request("POST", path, form, {"Content-Type": "application/x-www-form-urlencoded"})

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        return self.request("POST", path, body, headers)

    def from_every_target(self, path: str, tries: int = 20) -> dict[str, Answer]:
        """Asks until every WordPress has answered once, or `tries` times."""
        answers: dict[str, Answer] = {}
        for _ in range(tries):
            answer = self.get(path)
            answers[answer.target] = answer
            if {site.id for site in settings.SITES} <= answers.keys():
                break
        return answers

    def cookie_line(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def request(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = self._door.connect(timeout=60)
        cookies = {"Cookie": self.cookie_line()} if self.cookies else {}
        fields = {"Host": settings.HOST, "Connection": "close", **cookies, **headers}
        try:
            connection.request(method, path, body, fields)
            answer = connection.getresponse()
            content = answer.read()
        except http.client.HTTPException as error:
            raise OSError(f"{method} {path}: {error!r}") from None
        finally:
            connection.close()
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return Answer(answer.status, answer.getheader("X-Lab-Target", ""), answer.getheader("Location", ""), content)
