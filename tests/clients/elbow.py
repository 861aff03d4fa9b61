"""The daemon between real clients and real targets."""

import http.client
import json
import shutil
import ssl
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from checks import CHECKOUT, PROGRAM, free_ports

SEEN = CHECKOUT / "target" / "clients"
DEADLINE = 20.0
HOST = "site.test"


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

    @property
    def admin(self) -> str:
        """Its admin address."""
        return f"127.0.0.1:{self._admin}"

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
            f'admin = {{ address = "{self.admin}" }}\n'
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
        self._run("reload", "--admin", self.admin)

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
