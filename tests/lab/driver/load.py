"""The load: visitors with kept connections, each waiting for its answer before the next request, and what they saw.

Anonymous ones read the site, a logged-in one reads its dashboard, and writers send POSTs that write a note of an id that
is never used twice: so it can be counted afterwards whether one arrived twice.
"""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count, cycle

import browser
import compose
import settings
import wordpress
from browser import Browser


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    good: int  # the status that is right
    cookie: str = ""


@dataclass(frozen=True)
class Seen:
    """One request, and what came of it."""

    request: Request
    at: float
    took: float
    status: int  # 0: none
    target: str
    error: str = ""
    midway: bool = False  # its answer had begun to come when it broke off: nobody can ask again for the rest

    @property
    def failed(self) -> bool:
        return self.midway or self.status != self.request.good


@dataclass
class Outcome:
    seen: list[Seen] = field(default_factory=list)
    twice: int = 0  # notes that were written more than once
    missing: int = 0  # notes that were said to be written, and are not there

    def of(self, method: str) -> list[Seen]:
        return [one for one in self.seen if one.request.method == method]

    def failures(self, method: str) -> list[Seen]:
        return [one for one in self.of(method) if one.failed]

    def p99(self) -> float:
        """Of the answered GETs, in seconds."""
        took = sorted(one.took for one in self.of("GET") if one.status)
        return took[int(len(took) * 0.99)] if took else 0.0

    def detail(self) -> str:
        failed = [one for one in self.seen if one.failed]
        kinds = Counter(f"{one.request.method} {one.request.path.partition('?')[0]}: "
                        f"{one.error or one.status} from {one.target or 'the balancer'}" for one in failed)
        return "; ".join(f"{number} {kind}" for kind, number in kinds.most_common(5))


class Load:
    def __init__(self, cookie: str, lasts: float = settings.LOAD_LASTS, door: browser.Door = browser.NODE_A) -> None:
        self.outcome = Outcome()
        self._end = time.monotonic() + lasts
        self._door = door
        self._lock = threading.Lock()
        front, dashboard = Request("GET", "/", 200), Request("GET", "/wp-admin/", 200, cookie)
        own, picture = Request("GET", "/", 200, cookie), Request("GET", "/lab/answers.html", 200)
        plans: list[tuple[Iterable[Request], float]] = [
            (cycle([front, front, picture]), 0.25),
            (cycle([front, picture]), 0.25),
            (cycle([dashboard, own]), 0.5),
            (_notes("one"), 0.5),
            (_notes("two"), 0.5),
        ]
        self._threads = [threading.Thread(target=self._visit, args=plan, daemon=True) for plan in plans]
        for thread in self._threads:
            thread.start()

    def finish(self) -> Outcome:
        """Waits for the end, and counts the notes."""
        for thread in self._threads:
            thread.join(settings.LOAD_LASTS + settings.REQUEST_LIMIT)
        notes = arrived()
        numbers = {one.request.path.partition("=")[2]: one for one in self.outcome.of("POST")}
        self.outcome.twice = sum(1 for name in numbers if int(notes.get(name, 0)) > 1)
        self.outcome.missing = sum(1 for name, one in numbers.items() if not one.failed and name not in notes)
        return self.outcome

    def _visit(self, plan: Iterable[Request], every: float) -> None:
        connection = self._door.connect(settings.REQUEST_LIMIT)
        due = time.monotonic()
        for request in plan:
            if time.monotonic() >= self._end:
                break
            seen = _send(connection, request)
            with self._lock:
                self.outcome.seen.append(seen)
            due = max(due + every, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))
        connection.close()


def prepare() -> str:
    """What the load needs: a table for notes, and the cookie of somebody who is logged in."""
    statement = "CREATE TABLE IF NOT EXISTS lab_notes (at TIMESTAMP, id VARCHAR(64), host VARCHAR(64), KEY (id))"
    primary = "database" if compose.is_running("database") else "standby"
    compose.execute(primary, "mariadb", "wordpress", "--execute", statement)
    owner = Browser(browser.NODE_A)
    wordpress.log_in(owner)
    return owner.cookie_line()


def arrived() -> dict[str, str]:
    """How many notes of each id there are."""
    notes: dict[str, str] = Browser(browser.NODE_A).get("/lab/note.php").json() or {}
    return notes


def _notes(writer: str) -> Iterator[Request]:
    run = f"{writer}-{time.time_ns()}"
    return (Request("POST", f"/lab/note.php?id={run}-{number}", 201) for number in count())


def _send(connection: http.client.HTTPConnection, request: Request) -> Seen:
    began = time.monotonic()
    headers = {"Host": settings.HOST, **({"Cookie": request.cookie} if request.cookie else {})}
    body = b"note" if request.method == "POST" else None
    answer = None
    error = ""
    try:
        connection.request(request.method, request.path, body, headers)
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as problem:
        connection.close()
        error = type(problem).__name__
    took = time.monotonic() - began
    if answer is None:
        return Seen(request, began, took, 0, "", error)
    return Seen(request, began, took, answer.status, answer.getheader("X-Lab-Target", ""), error, midway=bool(error))
