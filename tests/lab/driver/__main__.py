"""The lab's commands. `all` brings everything up, runs every stage and takes everything down, whatever happens."""

import argparse
import fcntl
import shutil
import signal
import sys
from collections.abc import Callable
from types import FrameType

import balancer
import containers
import engine
import experiments
import images
import machine
import observers
import settings
import wordpress
from balancer import Balancer, Elbow
from report import Report
from shell import CommandFailed, TimeIsUp

_COMMANDS = {
    "all": "up, site, failures, prometheus, down (down even after a failure)",
    "up": "guard the networks, install what is missing, start engine, containers and balancer",
    "site": "install and use WordPress through the balancer",
    "failures": "stop, kill, pause and cut off a target under load",
    "prometheus": "Prometheus, promtool and GoAccess look at the daemon",
    "down": "leave the machine as it was; images, packages and logs stay",
    "purge": "down, and delete the images",
}


def main() -> int:
    options = _options()
    report = Report()
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGALRM, _interrupt)
    signal.alarm(settings.TIME_LIMIT)
    front = balancer.ALL[options.peer]
    if not _attempt(report, _prepare):
        return report.finish()
    if options.command in ("down", "purge"):
        _attempt(report, lambda: _down(report))
        if options.command == "purge":
            _attempt(report, _purge)
        return 1 if report.failed else 0
    try:
        if _attempt(report, lambda: _up(report, front, afresh=options.command in ("all", "up"))):
            for stage in _stages(report, front, options.command):
                _attempt(report, stage)
    except TimeIsUp:
        report.check(f"the run ends within {settings.TIME_LIMIT} s", False)
    except KeyboardInterrupt:
        report.check("the run is not interrupted", False)
    finally:
        if options.command == "all":
            signal.alarm(120)
            _attempt(report, lambda: _down(report))
    return report.finish()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="run",
        description="Elbow in front of real servers: see README.md beside this script.",
        epilog="\n".join(f"  {name:<11} {text}" for name, text in _COMMANDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=_COMMANDS, metavar="command", help="one of those below")
    parser.add_argument("--peer", choices=balancer.ALL, default="elbow", help="who is in front (default: elbow)")
    return parser.parse_args()


def _stages(report: Report, front: Balancer, command: str) -> list[Callable[[], None]]:
    stages: list[Callable[[], None]] = []
    if command in ("all", "site"):
        stages.append(lambda: wordpress.stage(report))
    if command in ("all", "failures"):
        stages.append(lambda: experiments.stage(report, front))
    if command in ("all", "prometheus") and isinstance(front, Elbow):
        stages.append(lambda: observers.stage(report, front))
    return stages


def _prepare() -> None:
    """One lab at a time on a machine: its names, addresses and ports are fixed."""
    machine.require_root()
    settings.RUNTIME.mkdir(exist_ok=True)
    settings.LOGS.mkdir(parents=True, exist_ok=True)
    lock = (settings.RUNTIME / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CommandFailed("another run of the lab is under way") from None
    globals()["_lock"] = lock  # held until the process ends, however it ends


def _up(report: Report, front: Balancer, afresh: bool) -> None:
    report.stage("up")
    if afresh:
        observers.stop()
        balancer.stop_all()
    machine.guard_networks()
    machine.check_disk()
    machine.install(report, engine=not engine.other_engine_answers(), peer=not isinstance(front, Elbow))
    engine.start(report)
    images.build_all(report)
    if afresh or not containers.running():
        containers.up(report)
    balancer.put_in_front(report, front)
    report.check(f"the site is up behind {front.name}", front.running())


def _down(report: Report) -> None:
    """The senders end first and the guard goes last: no packet finds a way out in between."""
    report.stage("down")
    observers.stop()
    balancer.stop_all()
    if engine.is_there():
        containers.remove()
    engine.stop(report)
    machine.unguard_networks()
    for path in settings.RUNTIME.iterdir():
        if path.name != "lock":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _purge() -> None:
    if engine.is_there():
        images.remove_all()
    shutil.rmtree(settings.STORE, ignore_errors=True)


def _attempt(report: Report, step: Callable[[], None]) -> bool:
    """Runs a step; a failure is counted and told in words, and the run goes on to what must still be done."""
    try:
        step()
    except (CommandFailed, TimeoutError, OSError, ValueError, LookupError) as error:
        return report.check("the stage runs to its end", False, f"{type(error).__name__}: {error}")
    return True


def _interrupt(number: int, _frame: FrameType | None) -> None:
    if number == signal.SIGALRM:
        raise TimeIsUp
    raise KeyboardInterrupt


sys.exit(main())
