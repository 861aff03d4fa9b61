"""The load: Debian's hey, a real load generator, and what it counted."""

import re
from dataclasses import dataclass

import settings
from shell import CommandFailed, Daemon, wait_until

_REQUEST_LIMIT = 30  # seconds after which hey gives a request up


@dataclass(frozen=True)
class Outcome:
    sent: int
    failed: int  # errors, and every status but 200
    p99: str  # seconds, of the answered ones
    detail: str  # what the failures were


class Load:
    """Some clients with kept connections, each waiting for its answer before the next request."""

    def __init__(self, name: str, path: str, *options: object, rate: int = settings.REQUESTS_A_SECOND_A_CLIENT) -> None:
        self._hey = Daemon("hey", log=settings.LOGS / f"hey-{name}.txt")
        self._hey.start(
            *("hey", "-z", f"{settings.LOAD_LASTS}s", "-c", settings.CLIENTS, "-q", rate),
            *("-t", _REQUEST_LIMIT, "-disable-redirects", "-host", settings.HOST),
            *options,
            f"http://{settings.NODE_A}:{settings.PORT}{path}",
        )

    def finish(self) -> Outcome:
        """Waits for its end, at most as long as the slowest request may take."""
        limit = settings.LOAD_LASTS + _REQUEST_LIMIT + 10
        wait_until("hey ends", lambda: not self._hey.running(), limit)
        text = self._hey.log.read_text()
        if "Summary:" not in text:
            raise CommandFailed(f"hey counted nothing: {text[:500]}")
        return parse(text)

    def end(self) -> None:
        self._hey.stop()


def parse(text: str) -> Outcome:
    """Reads hey's summary."""
    answered = {status: int(count) for status, count in re.findall(r"^\s*\[(\d{3})\]\s+(\d+) responses", text, re.M)}
    errors = re.findall(r"^\s*\[(\d+)\]\s+(.*)$", text.partition("Error distribution:")[2], re.M)
    broken = sum(int(count) for count, _ in errors)
    wrong = sum(count for status, count in answered.items() if status != "200")
    # hey leaves the percentile out when there are fewer than a hundred answers; the slowest stands in.
    p99 = re.search(r"^\s*99% in ([\d.]+) secs", text, re.M) or re.search(r"^\s*Slowest:\s+([\d.]+) secs", text, re.M)
    return Outcome(
        sent=sum(answered.values()) + broken,
        failed=broken + wrong,
        p99=f"{float(p99.group(1)):.2f}" if p99 else "-",
        detail="; ".join(
            [f"{count} of status {status}" for status, count in answered.items() if status != "200"]
            + [f"{count} {what}" for count, what in errors]
        ),
    )
