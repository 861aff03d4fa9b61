"""Stage `failures`: one target goes away under load, is seen to leave for the right reason, and returns by itself."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import containers
import settings
from balancer import Balancer, write_hosts
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
    lost_by_haproxy: int  # in the run that set the bar
    needs_names: bool = False


def _return_elsewhere(site: Site) -> None:
    containers.move(site)
    write_hosts()
    containers.start(site)


EXPERIMENTS = [
    Experiment("stop (graceful)", containers.stop, containers.start, _GONE, 0),
    Experiment("kill", containers.kill, containers.start, _GONE, 0),
    Experiment("pause", containers.pause, containers.unpause, {REASON_TIMEOUT}, 4),
    Experiment("zone cut off", containers.cut_zone, containers.restore_zone, _GONE, 2),
    Experiment("stop, new address", containers.stop, _return_elsewhere, _GONE, 0, needs_names=True),
]


def stage(report: Report, balancer: Balancer) -> None:
    report.stage(f"failures under load, {balancer.name} in front")
    containers.mend_all()
    _wait_healthy(balancer)
    ensure_installed(report)
    head = ["wp-b", "sent", "failed", "repeated", "p99 s", "left after s", "back after s", "reason"]
    rows = [_undisturbed(report, balancer), _kept_connections(report, balancer)]
    for experiment in EXPERIMENTS:
        if experiment.needs_names and not balancer.follows_names:
            report.say(f"{experiment.name}: left out, {balancer.name} looks names up at start only")
            continue
        try:
            rows.append(_disturbed(report, balancer, experiment))
        finally:
            containers.mend_all()
    report.table(head, rows)


class Watch:
    """Follows one target's health from a thread; remembers every change and when it was seen."""

    def __init__(self, balancer: Balancer, site: Site) -> None:
        self.changes: list[tuple[float, str, str]] = []
        self._balancer, self._site = balancer, site
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def first(self, after: float, *, healthy: bool) -> tuple[float, str] | None:
        """How long after a moment the target was first seen healthy or not, and the reason given."""
        for when, state, reason in list(self.changes):
            if when >= after and (state == "healthy") == healthy:
                return when - after, reason
        return None

    def end(self) -> None:
        self._over.set()
        self._thread.join(10)

    def _follow(self) -> None:
        while not self._over.wait(0.05):
            try:
                seen = self._balancer.health(self._site)
            except (OSError, ValueError) as error:
                seen = ("unknown", str(error))
            if not self.changes or self.changes[-1][1:] != seen:
                self.changes.append((time.monotonic(), *seen))


def _disturbed(report: Report, balancer: Balancer, experiment: Experiment) -> list[str]:
    _wait_healthy(balancer)
    report.say(f"{experiment.name} ...")
    repeated = balancer.repeated()
    watch = Watch(balancer, WP_B)
    load = Load(f"{balancer.name}-{experiment.name.split(' ')[0].strip(',')}", "/")
    try:
        time.sleep(settings.BREAK_AT)
        broken = time.monotonic()
        experiment.break_it(WP_B)
        time.sleep(max(0.0, broken + settings.AWAY - time.monotonic()))
        mended = time.monotonic()
        experiment.mend_it(WP_B)
        outcome = load.finish()
        _await(lambda: watch.first(mended, healthy=True))
        answers_again = _await(lambda: Browser().get("/").target == WP_B.id)
    finally:
        load.end()
        watch.end()
    left, back = watch.first(broken, healthy=False), watch.first(mended, healthy=True)
    name = f"{experiment.name}: "
    report.check(f"{name}left for {' or '.join(sorted(experiment.reasons))}", bool(left) and left[1] in experiment.reasons, left)
    report.check(f"{name}returned to healthy by itself and answers again", bool(back) and answers_again, watch.changes)
    _check_lost(report, balancer, experiment.name, outcome, experiment.lost_by_haproxy)
    return _row(experiment.name, outcome, balancer.repeated() - repeated, left, back)


def _undisturbed(report: Report, balancer: Balancer) -> list[str]:
    report.say("nothing happens ...")
    repeated = balancer.repeated()
    outcome = Load(f"{balancer.name}-nothing", "/").finish()
    _check_lost(report, balancer, "nothing happens", outcome, 0)
    return _row("nothing happens", outcome, balancer.repeated() - repeated)


def _kept_connections(report: Report, balancer: Balancer) -> list[str]:
    """POSTs, which may not be repeated, at the very pace at which Apache closes its kept connections (1 s)."""
    report.say("POSTs just as Apache closes kept connections ...")
    repeated = balancer.repeated()
    load = Load(f"{balancer.name}-kept", "/lab/database.php", "-m", "POST", "-d", "x=1", rate=1)
    outcome = load.finish()
    _check_lost(report, balancer, "POSTs as Apache closes", outcome, 0)
    return _row("POSTs as Apache closes", outcome, balancer.repeated() - repeated)


def _check_lost(report: Report, balancer: Balancer, name: str, outcome: Outcome, bar: int) -> None:
    """The daemon's aim is to lose nothing; HAProxy is held to what it lost when it set the bar."""
    allowed = 0 if balancer.name == "elbow" else bar
    report.check(f"{name}: lost {outcome.failed} of {outcome.sent}, {allowed} allowed", outcome.failed <= allowed, outcome.detail)


def _wait_healthy(balancer: Balancer) -> None:
    for site in settings.SITES:
        wait_until(
            f"{site.id} is healthy", lambda: balancer.health(site)[0] == "healthy", settings.RETURN_LIMIT
        )


def _await(condition: Callable[[], object]) -> bool:
    """Whether a condition came true in time; the checks say what it means if it did not."""
    try:
        return bool(wait_until("", condition, settings.RETURN_LIMIT))
    except TimeoutError:
        return False


def _row(
    name: str,
    outcome: Outcome,
    repeated: int,
    left: tuple[float, str] | None = None,
    back: tuple[float, str] | None = None,
) -> list[str]:
    return [
        *(name, str(outcome.sent), str(outcome.failed), str(repeated), outcome.p99),
        f"{left[0]:.1f}" if left else "-",
        f"{back[0]:.1f}" if back else "-",
        left[1] if left else "-",
    ]
