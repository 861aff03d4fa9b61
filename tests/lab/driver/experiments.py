"""Stage `failures`: one target goes away under load, is seen to leave for the right reason, and returns by itself."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import containers
import machine
import settings
from balancer import Balancer, wait_healthy, write_hosts
from browser import Browser
from load import Load, Outcome
from report import Report
from settings import REASON_FAILED, REASON_TIMEOUT, WP_B, Site
from shell import wait_until
from wordpress import ensure_installed

# A container that is gone: its address is refused while its Apache ends, and then nobody answers for it at all.
_GONE = {REASON_FAILED, REASON_TIMEOUT}


@dataclass(frozen=True)
class Experiment:
    name: str
    break_it: Callable[[Site], None]
    mend_it: Callable[[Site], None]
    reasons: set[str]
    needs_names: bool = False


@dataclass(frozen=True)
class Change:
    """A target was seen in another state than before."""

    when: float
    healthy: bool
    reason: str


def _return_elsewhere(site: Site) -> None:
    containers.move(site)
    write_hosts()
    containers.start(site)


_EXPERIMENTS = [
    Experiment("stop (graceful)", containers.stop, containers.start, _GONE),
    Experiment("kill", containers.kill, containers.start, _GONE),
    Experiment("pause", containers.pause, containers.unpause, {REASON_TIMEOUT}),
    Experiment("zone cut off", containers.cut_zone, containers.restore_zone, _GONE),
    Experiment("stop, new address", containers.stop, _return_elsewhere, _GONE, needs_names=True),
]


def stage(report: Report, balancer: Balancer) -> None:
    report.stage(f"failures under load, {balancer.name} in front")
    containers.mend_all()
    wait_healthy(balancer)
    ensure_installed(report)
    machine.tell_load(report)
    rows = [
        _undisturbed(report, balancer, "nothing happens", "/"),
        # POSTs may not be repeated, and these come at the very pace at which Apache closes its kept connections: 1 s.
        _undisturbed(
            report, balancer, "POSTs as Apache closes", "/lab/database.php", "-m", "POST", "-d", "x=1", rate=1
        ),
    ]
    for experiment in _EXPERIMENTS:
        if experiment.needs_names and not balancer.follows_names:
            report.say(f"{experiment.name}: left out, {balancer.name} looks names up at start only")
            continue
        try:
            rows.append(_disturbed(report, balancer, experiment))
        finally:
            containers.mend_all()
    report.table(["wp-b", "sent", "failed", "repeated", "p99 s", "left after s", "back after s", "reason"], rows)


class Watch:
    """Follows one target's health from a thread of its own."""

    def __init__(self, balancer: Balancer, site: Site) -> None:
        self.changes: list[Change] = []
        self._balancer, self._site = balancer, site
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def first(self, after: float, *, healthy: bool) -> Change | None:
        return next((c for c in list(self.changes) if c.when >= after and c.healthy == healthy), None)

    def end(self) -> None:
        self._over.set()
        self._thread.join(10)

    def _follow(self) -> None:
        last = None
        while not self._over.wait(0.05):
            try:
                seen = self._balancer.health(self._site)
            except (OSError, ValueError, LookupError) as error:
                seen = ("unknown", str(error))
            if seen != last:
                self.changes.append(Change(time.monotonic(), seen[0] == "healthy", seen[1]))
                last = seen


def _disturbed(report: Report, balancer: Balancer, experiment: Experiment) -> list[str]:
    wait_healthy(balancer)
    name = experiment.name
    report.say(f"{name} ...")
    repeated = balancer.repeated()
    watch = Watch(balancer, WP_B)
    load = Load(f"{balancer.name}-{re.sub('[^a-z]+', '-', name).strip('-')}", "/")
    try:
        time.sleep(settings.BREAK_AT)
        broken = time.monotonic()
        experiment.break_it(WP_B)
        time.sleep(max(0.0, broken + settings.AWAY - time.monotonic()))
        mended = time.monotonic()
        experiment.mend_it(WP_B)
        outcome = load.finish()
        _await(lambda: watch.first(mended, healthy=True))
        answers = _await(lambda: Browser().get("/").target == WP_B.id)
    finally:
        load.end()
        watch.end()
    left, back = watch.first(broken, healthy=False), watch.first(mended, healthy=True)
    reasons = " or ".join(sorted(experiment.reasons))
    report.check(f"{name}: left for {reasons}", left is not None and left.reason in experiment.reasons, left)
    report.check(f"{name}: returned by itself and answers again", back is not None and answers, watch.changes)
    return _row(
        *(name, _judge(report, balancer, name, outcome), balancer.repeated() - repeated),
        left=f"{left.when - broken:.1f}" if left else "never",
        back=f"{back.when - mended:.1f}" if back else "never",
        reason=left.reason if left else "-",
    )


def _undisturbed(report: Report, balancer: Balancer, name: str, path: str, *options: str, rate: int = 4) -> list[str]:
    report.say(f"{name} ...")
    repeated = balancer.repeated()
    load = Load(f"{balancer.name}-{name.split()[0].lower()}", path, *options, rate=rate)
    try:
        outcome = load.finish()
    finally:
        load.end()
    return _row(name, _judge(report, balancer, name, outcome), balancer.repeated() - repeated)


def _judge(report: Report, balancer: Balancer, name: str, outcome: Outcome) -> Outcome:
    """The daemon may lose nothing. What another loses is told, not judged."""
    lost = f"{name}: lost {outcome.failed} of {outcome.sent}"
    if balancer.name == "elbow":
        report.check(lost, outcome.failed == 0, outcome.detail)
    else:
        report.say(f"{lost} {outcome.detail}")
    return outcome


def _await(condition: Callable[[], object]) -> bool:
    """Whether a condition came true in time; the checks say what it means if it did not."""
    try:
        return bool(wait_until("the target returns", condition, settings.RETURN_LIMIT))
    except TimeoutError:
        return False


def _row(name: str, outcome: Outcome, repeated: int, left: str = "-", back: str = "-", reason: str = "-") -> list[str]:
    return [name, str(outcome.sent), str(outcome.failed), str(repeated), outcome.p99, left, back, reason]
