"""The lab's commands. `all` goes through the three phases, breaks things, and takes everything down, whatever happens."""

import argparse
import fcntl
import shutil
import signal
import sys
from collections.abc import Callable
from types import FrameType

import compose
import engine
import experiments
import images
import machine
import observers
import phases
import product
import puzzles
import settings
from report import Report
from shell import CommandFailed, TimeIsUp

_COMMANDS = {
    "all": "all of the following in this order, and `down` even after a failure",
    "phase-1": "one WordPress with its database in it",
    "phase-2": "the database moves to a host of its own",
    "phase-3": "two WordPress in two zones, Elbow in front of them, a standby for the database",
    "failures": "break things under load; what is lost, and how long it takes",
    "puzzles": "the two puzzles of 2014",
    "prometheus": "Prometheus, promtool and GoAccess look at the daemon",
    "product": "Elbow's own image: runs without rights, tells its health, ends in order",
    "image": "the same by `docker build .`, from the sources; a stage of CI of its own, not part of `all`",
    "down": "leave the machine as it was; images, packages and logs stay",
    "purge": "down, and delete the images",
}
_STAGES: dict[str, Callable[[Report], None]] = {
    "phase-1": phases.phase_1,
    "phase-2": phases.phase_2,
    "phase-3": phases.phase_3,
    "failures": experiments.stage,
    "puzzles": puzzles.stage,
    "prometheus": observers.stage,
    "product": product.stage,
}
_APART: dict[str, Callable[[Report], None]] = {"image": product.full}


def main() -> int:
    options = _options()
    report = Report()
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGALRM, _interrupt)
    signal.alarm(settings.TIME_LIMIT)
    if not _attempt(report, _prepare):
        return report.finish()
    if options.command in ("down", "purge"):
        _attempt(report, lambda: _down(report))
        if options.command == "purge":
            _attempt(report, _purge)
        return 1 if report.failed else 0
    stages = list(_STAGES.values()) if options.command == "all" else [{**_STAGES, **_APART}[options.command]]
    apart = options.command in _APART
    # Whoever is going through the phases meanwhile keeps them.
    leave = options.command == "all" or (apart and not engine.is_the_labs())
    try:
        if _attempt(report, lambda: _up(report, images_only=apart)):
            for stage in stages:
                _attempt(report, lambda stage=stage: stage(report))
    except TimeIsUp:
        report.check(f"the run ends within {settings.TIME_LIMIT} s", False)
    except KeyboardInterrupt:
        report.check("the run is not interrupted", False)
    finally:
        if leave:
            signal.alarm(120)
            _attempt(report, lambda: _down(report))
    return report.finish()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="run",
        description="The hands-on of 2014 with Elbow: see README.md beside this script.",
        epilog="\n".join(f"  {name:<11} {text}" for name, text in _COMMANDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=_COMMANDS, metavar="command", help="one of those below")
    return parser.parse_args()


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


def _up(report: Report, images_only: bool) -> None:
    report.stage("the machine")
    machine.guard_networks()
    machine.check_disk()
    needs_compose = not images_only and not compose.is_installed()
    machine.install(report, not engine.other_engine_answers(), needs_compose, images_only)
    engine.start(report)
    (images.base if images_only else images.build_all)(report)


def _down(report: Report) -> None:
    """The senders end first and the guard goes last: no packet finds a way out in between."""
    report.stage("down")
    observers.stop()
    if engine.is_there():
        try:
            compose.remove_all()
        except CommandFailed as error:
            # Another's engine keeps what it does not let go, and its senders need the guard. The lab's own one ends,
            # and what it still believes to be in use it has forgotten when it starts again.
            if not engine.is_the_labs():
                raise
            report.say(f"dockerd does not let go of everything, so it ends first: {error}")
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
