"""The load: Debian's hey, a real load generator, and what it counted."""

import re
import subprocess
from dataclasses import dataclass

import settings
from shell import CommandFailed


@dataclass(frozen=True)
class Outcome:
    sent: int
    failed: int  # errors, and every status but 200
    p99: str  # as hey prints it, in seconds; of the answered ones
    detail: str  # what the failures were


class Load:
    """Some clients with kept connections, each waiting for its answer before the next request."""

    def __init__(self, name: str, path: str, *options: object, rate: int = settings.REQUESTS_A_SECOND_A_CLIENT) -> None:
        self._output = settings.LOGS / f"hey-{name}.txt"
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    *("hey", "-z", f"{settings.LOAD_LASTS}s", "-c", str(settings.CLIENTS), "-q", str(rate)),
                    *("-t", "30", "-disable-redirects", "-host", settings.HOST),
                    *(str(option) for option in options),
                    f"http://{settings.NODE_A}:{settings.PORT}{path}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def finish(self) -> Outcome:
        """Waits for its end, at most as long as the slowest request may take."""
        try:
            code = self._process.wait(settings.LOAD_LASTS + 40)
        except subprocess.TimeoutExpired:
            raise CommandFailed("hey did not end") from None
        finally:
            self.end()
        if code != 0:
            raise CommandFailed(f"hey ended with {code}: {self._output.read_text()[:500]}")
        return parse(self._output.read_text())

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def parse(text: str) -> Outcome:
    """Reads hey's summary."""
    answered = {status: int(count) for status, count in re.findall(r"^\s*\[(\d{3})\]\s+(\d+) responses", text, re.M)}
    errors = re.findall(r"^\s*\[(\d+)\]\s+(.*)$", text.partition("Error distribution:")[2], re.M)
    broken = sum(int(count) for count, _ in errors)
    wrong = sum(count for status, count in answered.items() if status != "200")
    p99 = re.search(r"^\s*99% in ([\d.]+) secs", text, re.M)
    return Outcome(
        sent=sum(answered.values()) + broken,
        failed=broken + wrong,
        p99=p99.group(1) if p99 else "-",
        detail="; ".join(
            [f"{count} of status {status}" for status, count in answered.items() if status != "200"]
            + [f"{count} {what}" for count, what in errors]
        ),
    )
