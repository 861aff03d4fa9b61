"""Commands, background processes and waiting, each with a limit in time.

No output of a command or a daemon ever goes through a pipe of ours: a grandchild that keeps one open would hang the
reader, and with it CI.
"""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import settings

T = TypeVar("T")


class CommandFailed(Exception):
    """A command ended with another code than 0, or not in time."""


class TimeIsUp(BaseException):
    """The whole run has taken too long. No step may take this for its own failure and go on."""


def run(*command: object, timeout: float = 60, env: dict[str, str] | None = None, check: bool = True) -> str:
    """Runs a command to its end and returns what it wrote (standard output and errors together)."""
    argv = [str(word) for word in command]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        try:
            code = process.wait(timeout)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise CommandFailed(f"`{' '.join(argv)}` did not end within {timeout:.0f} s") from None
            raise
        output.seek(0)
        text = output.read().decode(errors="replace")
    if check and code != 0:
        raise CommandFailed(f"`{' '.join(argv)}` ended with {code}:\n{text[-3000:].rstrip()}")
    return text


def wait_until(what: str, probe: Callable[[], T], deadline: float, every: float = 0.1) -> T:
    """The first true value of `probe`, asked every few moments; TimeoutError after `deadline` seconds."""
    end = time.monotonic() + deadline
    last: object = None
    while time.monotonic() < end:
        try:
            if value := probe():
                return value
            last = value
        except (OSError, ValueError, LookupError, CommandFailed) as error:
            last = error
        time.sleep(every)
    raise TimeoutError(f"{what}: not within {deadline:.0f} s (last seen: {last})")


class Daemon:
    """A background process that a later run can find again: its pid and start time are in a file."""

    def __init__(self, name: str, log: Path | None = None) -> None:
        self.name = name
        self.log = log or settings.LOGS / f"{name}.log"
        self._record = settings.RUNTIME / f"{name}.pid"

    def start(self, *command: object) -> None:
        settings.LOGS.mkdir(parents=True, exist_ok=True)
        self.stop()
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._record.write_text(f"{process.pid} {start_time(process.pid)}")

    def pid(self) -> int | None:
        """Its pid, if it lives and is the process that was started (pids are used again)."""
        try:
            pid, started = self._record.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return int(pid) if start_time(int(pid)) == started else None

    def running(self) -> bool:
        return self.pid() is not None

    def stop(self, limit: float = 20) -> None:
        """SIGTERM, then SIGKILL after `limit` seconds."""
        if (pid := self.pid()) is not None:
            os.kill(pid, signal.SIGTERM)
            try:
                wait_until(f"{self.name} ends", lambda: not self.running(), limit)
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                wait_until(f"{self.name} is killed", lambda: not self.running(), 5)
        self._record.unlink(missing_ok=True)

    def tail(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""


def start_time(pid: int) -> str:
    """When a process started (clock ticks since boot); empty if there is none or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] == "Z" else fields[19]
