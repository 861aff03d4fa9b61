"""The container engine: one that already answers, or Debian's dockerd, started by the lab and ended by it.

The lab's own dockerd has its own socket, folders and addresses, so that it never meets another engine's state. What
dockerd changes on the machine (forwarding, iptables chains, its bridge) is written down first and put back by `stop`.
"""

import contextlib
import json
import os
import shutil
import signal
from pathlib import Path

import settings
from report import Report
from shell import CommandFailed, Daemon, run, wait_until

_SOCKET_FILE = settings.RUNTIME / "docker.sock"
_SOCKET = f"unix://{_SOCKET_FILE}"
_EXEC_ROOT = settings.RUNTIME / "engine"
_DATA_ROOT = settings.STORE / "engine"
_BEFORE = settings.RUNTIME / "before-engine.json"
_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_DAEMON = Daemon("dockerd")


def docker(*arguments: object, timeout: float = 60, check: bool = True) -> str:
    """Debian's client, which drives BuildKit; a newer bare one on the PATH may not."""
    client = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker"
    return run(client, *arguments, timeout=timeout, env=environment(), check=check)


def environment() -> dict[str, str]:
    """What leads a client to the engine."""
    ours = {"DOCKER_HOST": _SOCKET} if _BEFORE.exists() else {}
    return {"DOCKER_BUILDKIT": "1", **ours}


def socket() -> Path:
    """The engine's socket, which the balancer's container is given."""
    return _SOCKET_FILE if _BEFORE.exists() else Path("/var/run/docker.sock")


def other_engine_answers() -> bool:
    """Whether somebody else's engine is there to be used."""
    return not _BEFORE.exists() and _answers()


def is_the_labs() -> bool:
    """Whether the lab has started an engine, which may have died since."""
    return _BEFORE.exists()


def is_there() -> bool:
    """Whether an engine, the lab's or another, answers."""
    return _answers()


def start(report: Report) -> None:
    if _answers():
        return
    if _BEFORE.exists():
        report.say("an earlier run left its engine in pieces: clearing")
        _clear()
    else:
        before = {
            "forwarding": _FORWARDING.read_text().strip(),
            "forward_policy": _forward_policy(),
            "docker0": Path("/sys/class/net/docker0").exists(),
        }
        _BEFORE.write_text(json.dumps(before))
    _DATA_ROOT.mkdir(parents=True, exist_ok=True)
    _DAEMON.start(
        "/usr/sbin/dockerd",
        *("--host", _SOCKET),
        *("--data-root", _DATA_ROOT),
        *("--exec-root", _EXEC_ROOT),
        *("--pidfile", settings.RUNTIME / "dockerd.own-pid"),
        *("--bip", settings.ENGINE_BRIDGE),
        *("--storage-driver", "overlay2"),
    )
    try:
        wait_until("dockerd answers", _answers, 30)
    except TimeoutError as error:
        raise CommandFailed(f"{error}\n{_DAEMON.tail()}") from None
    report.say("dockerd started (none answered)")


def stop(report: Report) -> None:
    """Ends the engine if it is the lab's, and puts back what it changed."""
    if not _BEFORE.exists():
        return
    _DAEMON.stop(limit=30)
    _clear()
    before = json.loads(_BEFORE.read_text())
    _remove_rules(before["forward_policy"])
    if not before["docker0"]:
        run("ip", "link", "del", "docker0", check=False)
    _FORWARDING.write_text(before["forwarding"])
    _BEFORE.unlink()
    report.say("dockerd ended; its chains, mounts and bridge removed")


def _answers() -> bool:
    try:
        docker("version", "--format", "{{.Server.Version}}", timeout=10)
        return True
    except (CommandFailed, FileNotFoundError):
        return False


def _clear() -> None:
    """After a kill -9: processes, mounts, pid files and bridges that would hinder the next start."""
    for pid in _leftovers():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _end_orphans()
    wait_until("the engine's processes are gone", lambda: not _leftovers(), 10)
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in reversed(mounts):
        if mount.startswith((f"{_EXEC_ROOT}/", f"{_DATA_ROOT}", f"{settings.RUNTIME}/netns")):
            run("umount", "-l", mount, check=False)
    shutil.rmtree(_EXEC_ROOT, ignore_errors=True)
    (settings.RUNTIME / "dockerd.own-pid").unlink(missing_ok=True)
    _SOCKET_FILE.unlink(missing_ok=True)
    for bridge in settings.BRIDGES:
        run("ip", "link", "del", bridge, check=False)


def _end_orphans() -> None:
    """Containers whose engine and shim were killed, known by their root; a paused one must thaw to die."""
    for state in Path("/sys/fs/cgroup/freezer/docker").glob("*/freezer.state"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for pid in (state.parent / "cgroup.procs").read_text().split():
                if str(_DATA_ROOT) in Path("/proc", pid, "mountinfo").read_text():
                    os.kill(int(pid), signal.SIGKILL)
                    state.write_text("THAWED")


def _leftovers() -> list[int]:
    """The engine's processes, known by the lab's folder on their command line, and the containers below its shims."""
    ours, parents = set(), {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        name = os.path.basename(command[0].decode(errors="replace"))
        of_lab = any(word.startswith((str(_EXEC_ROOT).encode(), _SOCKET.encode())) for word in command)
        if of_lab and name.startswith(("dockerd", "containerd")):
            ours.add(int(entry.name))
    return sorted(ours | {pid for pid, parent in parents.items() if parent in ours})


def _forward_policy() -> str:
    return run("iptables", "-S", "FORWARD").split()[2]


def _remove_rules(forward_policy: str) -> None:
    """The tables as they are, without the lines that dockerd wrote for its chains and the lab's networks."""
    marks = ["DOCKER", "docker0", "elbow-lab", f" {settings.NET}."]
    kept = [line for line in run("iptables-save").splitlines() if not any(mark in line for mark in marks)]
    kept = [line.replace(":FORWARD DROP", f":FORWARD {forward_policy}") for line in kept]
    rules = settings.RUNTIME / "rules"
    rules.write_text("\n".join(kept) + "\n")
    run("iptables-restore", rules)
    rules.unlink()
