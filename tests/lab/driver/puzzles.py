"""The two puzzles of 2014, as experiments.

1. A target was OutOfService, and its WordPress worked again. Did it come back by itself, or only when it was registered
   anew? By itself: but an unhealthy target needs the whole healthy threshold, and one that is registered needs one pass,
   so that registering anew looked like the cure.
2. An instance was stopped and started, and stayed OutOfService. It had come back with another address, and the balancer
   went on asking the old one. A target that is known by its identity returns by itself. With `stale_ip_after_stop` it
   does not, until it is deregistered and registered anew: AWS's advice of the time.
"""

import re
import time
from collections.abc import Callable

import balancer
import compose
import hosts
import phases
import settings
from report import Report
from settings import WP_C
from shell import wait_until

_THRESHOLD = 3  # healthy_threshold of config/elbow.toml
_LONG_ENOUGH = 12  # seconds, in which a target that is asked where it is would have passed it


def stage(report: Report) -> None:
    report.stage("the two puzzles of 2014")
    phases.ensure_phase_3(report)
    try:
        _first(report)
        _second(report)
        _as_in_2014(report)
    finally:
        balancer.configure()
        hosts.mend_all()


def _first(report: Report) -> None:
    hosts.maintain(WP_C)
    wait_until("wp-c is OutOfService", lambda: balancer.health(WP_C.id)[0] == "unhealthy", 30)
    passes, took = _until_healthy(lambda: hosts.maintained(WP_C))
    report.check(f"1: it came back by itself after {passes} passes in a row, {took:.1f} s", passes == _THRESHOLD, passes)

    hosts.maintain(WP_C)
    wait_until("wp-c is OutOfService", lambda: balancer.health(WP_C.id)[0] == "unhealthy", 30)
    hosts.maintained(WP_C)
    passes, again = _until_healthy(_register_anew)
    report.check(f"1: registered anew it was back after {passes} pass, {again:.1f} s", passes == 1, passes)


def _second(report: Report) -> None:
    before = compose.address(WP_C.id, WP_C.network)
    hosts.stop(WP_C)
    stopped = balancer.health(WP_C.id)
    report.check("2: while it is stopped it is `unused`", stopped == ("unused", settings.REASON_INVALID), stopped)
    passes, took = _until_healthy(lambda: hosts.start_elsewhere(WP_C))
    after = compose.address(WP_C.id, WP_C.network)
    report.check(f"2: it came back by itself, from {before} to {after}, {took:.1f} s", before != after, after)
    report.check("2: it needed one pass, for it was not unhealthy", passes == 1, passes)


def _as_in_2014(report: Report) -> None:
    hosts.stop(WP_C)
    hosts.return_home(WP_C)
    hosts.start(WP_C)
    wait_until("wp-c is InService", lambda: balancer.health(WP_C.id)[0] == "healthy", settings.RETURN_LIMIT)
    balancer.configure(stale_ip_after_stop=True)
    hosts.stop(WP_C)
    hosts.start_elsewhere(WP_C)
    answers = wait_until("wp-c answers at its new address", lambda: hosts.answers(WP_C, WP_C.other_address), 30)
    wait_until("wp-c is OutOfService", lambda: balancer.health(WP_C.id)[0] == "unhealthy", 60)
    time.sleep(_LONG_ENOUGH)
    state, reason = balancer.health(WP_C.id)
    asked = balancer.address(WP_C.id)
    stays = answers and state == "unhealthy" and asked == WP_C.address
    report.check(f"2014: with stale_ip_after_stop it stays out, asked at {asked} still ({reason})", stays, state)
    balancer.ask("/reload", "POST")
    report.check("2014: a reload does not bring it back", balancer.address(WP_C.id) == WP_C.address)
    passes, took = _until_healthy(_register_anew)
    asked = balancer.address(WP_C.id)
    report.check(f"2014: deregistered and registered it was back at {asked}, {took:.1f} s", passes == 1, passes)


def _register_anew() -> None:
    for order in ("drain", "undrain"):
        balancer.ask(f"/target-groups/{settings.GROUP}/targets/{WP_C.id}/{order}", "POST")


def _until_healthy(mend: Callable[[], None]) -> tuple[int, float]:
    """How many probes in a row passed, as the daemon's log says, and how long it took."""
    lines = len(_turns())
    began = time.monotonic()
    mend()
    wait_until("wp-c is InService", lambda: balancer.health(WP_C.id)[0] == "healthy", settings.RETURN_LIMIT)
    took = time.monotonic() - began
    turns = wait_until("the log says so", lambda: _turns()[lines:], 5)
    # The first turn is the one waited for: another address that the engine reports a moment later begins anew.
    return int(turns[0]), took


def _turns() -> list[str]:
    """For each time that wp-c turned healthy for visitors: after how many passes."""
    pattern = rf'target is healthy: (\d+) probes? in a row.*group="?{settings.GROUP}"? .*target={WP_C.id}'
    return re.findall(pattern, compose.log("elbow"))
