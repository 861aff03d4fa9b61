"""A visitor: requests through the balancer, with cookies and without following redirects."""

import http.client
import json
import urllib.parse
from dataclasses import dataclass
from typing import Any

import settings


@dataclass(frozen=True)
class Answer:
    status: int
    target: str  # which container answered; empty if the balancer did
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
    def __init__(self, node: str = settings.NODE_A, source: str = "") -> None:
        self._node = node
        self._source = (source, 0) if source else None
        self._cookies: dict[str, str] = {}

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        return self._request("GET", path, None, headers or {})

    def post_form(self, path: str, fields: dict[str, str]) -> Answer:
        form = urllib.parse.urlencode(fields).encode()
        return self._request("POST", path, form, {"Content-Type": "application/x-www-form-urlencoded"})

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        return self._request("POST", path, body, headers)

    def from_every_target(self, path: str, tries: int = 20) -> dict[str, Answer]:
        """Asks until every container has answered once, or `tries` times."""
        answers: dict[str, Answer] = {}
        for _ in range(tries):
            answer = self.get(path)
            answers[answer.target] = answer
            if {site.id for site in settings.SITES} <= answers.keys():
                break
        return answers

    def _request(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection(self._node, settings.PORT, timeout=60, source_address=self._source)
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        fields = {"Host": settings.HOST, "Connection": "close", **({"Cookie": cookies} if cookies else {}), **headers}
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
            self._cookies[name] = value
        return Answer(answer.status, answer.getheader("X-Lab-Target", ""), answer.getheader("Location", ""), content)
