"""What the stages in Python share: where things are, and how a claim is told."""

import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PROGRAM = Path(os.environ.get("ELBOW_BIN") or CHECKOUT / "target" / "debug" / "elbow").resolve()


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Checks:
    """One line for each claim. What takes time may take `deadline` seconds, for what is far quicker on an idle machine."""

    def __init__(self, deadline: float = 20.0) -> None:
        self.passed = 0
        self.failed = 0
        self._deadline = deadline

    def check(self, claim: str, holds: object, seen: object = "") -> None:
        if holds:
            self.passed += 1
            print(f"ok      {claim}")
        else:
            self.failed += 1
            print(f"FAILED  {claim}: {seen}")

    def equal(self, claim: str, found: object, expected: object) -> None:
        self.check(claim, found == expected, f"{found!r}, not {expected!r}")

    def in_time(self, claim: str, holds: Callable[[], object], within: float | None = None) -> None:
        """Waits for it; what is asked may fail until then."""
        limit = within or self._deadline
        seen: object = ""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            try:
                if seen := holds():
                    return self.check(claim, True)
            except (OSError, LookupError) as error:
                seen = repr(error)
            time.sleep(0.05)
        self.check(claim, False, f"not within {limit:.0f} s, last seen: {seen!r}")

    def end(self) -> NoReturn:
        sys.exit(1 if self.failed else 0)
