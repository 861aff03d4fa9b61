"""The daemon between real clients and real targets, and how a check is told."""

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PROGRAM = Path(os.environ.get("ELBOW_BIN") or CHECKOUT / "target" / "debug" / "elbow").resolve()
SEEN = CHECKOUT / "target" / "clients"
DEADLINE = 20.0
HOST = "site.test"


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Checks:
    """One line for each claim."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def check(self, claim: str, holds: object, seen: object = "") -> None:
        if holds:
            self.passed += 1
            print(f"ok      {claim}")
        else:
            self.failed += 1
            print(f"FAILED  {claim}: {seen}")

    def equal(self, claim: str, found: object, expected: object) -> None:
        self.check(claim, found == expected, f"{found!r}, not {expected!r}")

    def in_time(self, claim: str, holds: Callable[[], object], within: float = DEADLINE) -> None:
        """Waits for it; what is asked may fail until then."""
        seen: object = ""
        end = time.monotonic() + within
        while time.monotonic() < end:
            try:
                if seen := holds():
                    return self.check(claim, True)
            except (OSError, LookupError) as error:
                seen = repr(error)
            time.sleep(0.05)
        self.check(claim, False, f"not within {within:.0f} s, last seen: {seen!r}")

    def end(self) -> NoReturn:
        sys.exit(1 if self.failed else 0)


class Elbow:
    """`elbow run` with an HTTPS certificate for HOST from an authority of its own. Use it in `with`."""

    def __init__(self, name: str, seen: Path = SEEN) -> None:
        self.folder = seen / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self._run("cert", HOST)
        [self._admin] = free_ports(1)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def authority(self) -> Path:
        """Whom clients have to trust."""
        return self.folder / "elbow-ca" / "ca.pem"

    def tls(self, alpn: list[str] | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.authority)
        if alpn:
            context.set_alpn_protocols(alpn)
        return context

    def configure(self, text: str) -> None:
        """Writes this, after what all configurations have; TLS stands for the certificates of a listener."""
        certificates = f'certificates = [{{ certificate = "{HOST}.pem", private_key = "{HOST}.key" }}]'
        (self.folder / "elbow.toml").write_text(
            'ranges = "relaxed"\n'
            f'admin = {{ address = "127.0.0.1:{self._admin}" }}\n'
            'access_log = { path = "access.log", format = "json" }\n' + text.replace("TLS", certificates)
        )

    def start(self) -> None:
        with (self.folder / "elbow.log").open("a") as log:
            command = [PROGRAM, "run", "--config", "elbow.toml"]
            self._process = subprocess.Popen(command, cwd=self.folder, stderr=log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end and self._process.poll() is None:
            try:
                if self._ask("/ready")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"elbow does not start: {(self.folder / 'elbow.log').read_text()}")

    def reload(self) -> None:
        self._run("reload", "--admin", f"127.0.0.1:{self._admin}")

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(40)
            finally:
                self._process.kill()
            self._process = None

    def metric(self, name: str, *labels: str) -> float:
        """The sum of the rows of this name that have these labels."""
        rows = self._ask("/metrics")[1].splitlines()
        mine = [row for row in rows if row.startswith((f"{name}{{", f"{name} ")) and all(label in row for label in labels)]
        return sum(float(row.rsplit(" ", 1)[1]) for row in mine)

    def log(self) -> list[dict[str, Any]]:
        """The access log."""
        return [json.loads(line) for line in (self.folder / "access.log").read_text().splitlines()]

    def __enter__(self) -> "Elbow":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _run(self, *arguments: str) -> None:
        subprocess.run([PROGRAM, *arguments], cwd=self.folder, check=True, stdout=subprocess.DEVNULL)

    def _ask(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._admin, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()
