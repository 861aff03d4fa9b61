"""Stage `failures`: something breaks under load, is seen to leave for the right reason, and returns by itself.

What is expected of each is written beside it. A GET is lost when it has another status than the right one, whoever gave
it; a POST may be lost with the host that had it, but never arrives twice, and what was said to be written is there.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import balancer
import browser
import compose
import database
import hosts
import load
import machine
import phases
import settings
from browser import Browser
from engine import docker
from load import Load, Outcome
from report import Report
from settings import REASON_FAILED, REASON_INVALID, REASON_MISMATCH, REASON_TIMEOUT, WP_C, Site
from shell import wait_until

_HEAD = ["what happens to wp-c", "sent", "failed", "POSTs lost", "twice", "repeated", "p99 s", "left s", "back s", "reason"]
_PROBED = {REASON_TIMEOUT, REASON_FAILED}


@dataclass(frozen=True)
class Experiment:
    name: str
    break_it: Callable[[Site], None]
    mend_it: Callable[[Site], None]
    reasons: set[str]
    leaves_within: float  # seconds
    returns_within: float
    # What visitors may be given by the host itself, before it has left: an answer is an answer.
    own_answer: int = 0
    # Whether the host vanishes without a word, and with it what it was just sending.
    abrupt: bool = False


_TOLD = 2.0  # the engine tells at once
_PROBES = 8.0  # two probes of 2 s, and the limit of the second
_ONE_PASS = 8.0  # a host needs a while to start; then one probe
_THREE_PASSES = 12.0

_EXPERIMENTS = [
    Experiment("stop (graceful)", hosts.stop, hosts.start, {REASON_INVALID}, _TOLD, _ONE_PASS),
    Experiment("kill -9", hosts.kill, hosts.start, {REASON_INVALID}, _TOLD, _ONE_PASS, abrupt=True),
    Experiment("stop, new address", hosts.stop, hosts.start_elsewhere, {REASON_INVALID}, _TOLD, _ONE_PASS),
    Experiment("pause", hosts.pause, hosts.unpause, {REASON_INVALID}, _TOLD, _ONE_PASS, abrupt=True),
    Experiment("off its network", hosts.disconnect, hosts.connect, {REASON_INVALID}, _TOLD, _ONE_PASS, abrupt=True),
    Experiment("zone's network down", hosts.cut_zone, hosts.restore_zone, _PROBED, _PROBES, _THREE_PASSES, abrupt=True),
    Experiment("all workers busy", hosts.fill, hosts.nothing, {REASON_TIMEOUT}, _PROBES, _THREE_PASSES),
    Experiment("500 to everything", hosts.fault, hosts.heal, {REASON_MISMATCH}, _PROBES, _THREE_PASSES, own_answer=500),
    Experiment(
        "maintenance mode", hosts.maintain, hosts.maintained, {REASON_MISMATCH}, _PROBES, _THREE_PASSES, own_answer=503
    ),
]


@dataclass(frozen=True)
class Change:
    """A target was seen in another state than before."""

    when: float
    healthy: bool
    reason: str


class Watch:
    """Follows one target's health from a thread of its own."""

    def __init__(self, target: str, group: str = settings.GROUP) -> None:
        self.changes: list[Change] = []
        self._target, self._group = target, group
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
                seen = balancer.health(self._target, self._group)
            except (OSError, ValueError, LookupError) as error:
                seen = ("unknown", str(error))
            if seen != last:
                self.changes.append(Change(time.monotonic(), seen[0] == "healthy", seen[1]))
                last = seen


def stage(report: Report) -> None:
    report.stage("failures under load: HTTPS, anonymous and logged-in visitors, and writers")
    phases.ensure_phase_3(report)
    machine.tell_load(report)
    cookie = load.prepare()
    rows = [_undisturbed(report, cookie)]
    for experiment in _EXPERIMENTS:
        try:
            rows.append(_disturbed(report, cookie, experiment))
        finally:
            hosts.mend_all()
            balancer.wait_healthy()
    _maintained_everywhere(report)
    rows.append(_scaled(report, cookie))
    rows.append(_reloaded(report, cookie))
    rows.append(_upgraded(report, cookie))
    if compose.is_running("database"):
        rows.append(_failed_over(report, cookie))
    else:
        report.say("the database has failed over already: `run phase-3` makes it anew")
    (settings.LOGS / "failures.md").write_text(report.table(_HEAD, rows))


def _undisturbed(report: Report, cookie: str) -> list[str]:
    report.say("nothing happens ...")
    repeated = balancer.repeated()
    outcome = Load(cookie).finish()
    _judge(report, "nothing happens", outcome, posts_lost=0)
    return _row("nothing happens", outcome, balancer.repeated() - repeated)


def _disturbed(report: Report, cookie: str, experiment: Experiment) -> list[str]:
    balancer.wait_healthy()
    name = experiment.name
    report.say(f"{name} ...")
    repeated, slowness = balancer.repeated(), machine.slowness()
    watch, admin = Watch(WP_C.id), Watch(WP_C.id, settings.ADMIN_GROUP)
    disturbed = Load(cookie)
    try:
        time.sleep(settings.BREAK_AT)
        broken = time.monotonic()
        experiment.break_it(WP_C)
        time.sleep(max(0.0, broken + settings.AWAY - time.monotonic()))
        mended = time.monotonic()
        experiment.mend_it(WP_C)
        outcome = disturbed.finish()
        returned = _await(lambda: watch.first(mended, healthy=True) or balancer.health(WP_C.id)[0] == "healthy")
        answers = _await(lambda: Browser(browser.NODE_A).get("/").target == WP_C.id)
    finally:
        watch.end()
        admin.end()
    left, back = watch.first(broken, healthy=False), watch.first(mended, healthy=True)
    after, come = (left.when - broken if left else None), (back.when - mended if back else None)
    reasons = " or ".join(sorted(experiment.reasons))
    leave, come_back = (limit * slowness for limit in (experiment.leaves_within, experiment.returns_within))
    was = left is not None and left.reason in experiment.reasons
    within = after is not None and after <= leave
    report.check(f"{name}: left within {leave:.0f} s for {reasons}", was and within, (after, left))
    soon = returned and (come is None or come <= come_back)
    report.check(f"{name}: returned within {come_back:.0f} s by itself, and answers", soon and answers,
                 (come, watch.changes))
    gone_for_all = [gone.when for each in (watch, admin) if (gone := each.first(broken, healthy=False))]
    until = max(gone_for_all, default=broken) + 1
    _judge(report, name, outcome, own_answer=(experiment.own_answer, until), gone=broken if experiment.abrupt else 0.0)
    return _row(
        *(name, outcome, balancer.repeated() - repeated),
        left=f"{after:.1f}" if after is not None else "never",
        back=f"{come:.1f}" if come is not None else "before",
        reason=left.reason if left else "-",
    )


def _maintained_everywhere(report: Report) -> None:
    """An update of files that the hosts share: all of them say 503 and Retry-After. The site is being maintained, and its
    hosts are not dead."""
    name = "maintenance everywhere"
    report.say(f"{name} ...")
    both = {site.id for site in settings.SITES}
    try:
        _at_once(hosts.maintain)
        probed = wait_until("both were probed four times",
                            lambda: all(balancer.found(site.id, "maintenance") >= 4 for site in settings.SITES), 60)
        report.check(f"{name}: both stay in service", bool(probed) and balancer.healthy() >= both, balancer.targets())
        answer = Browser(browser.NODE_A).get("/")
        says = answer.status == 503 and answer.target in both and "scheduled maintenance" in answer.text
        report.check(f"{name}: a visitor reads WordPress's own page", says, answer)
    finally:
        _at_once(hosts.maintained)
    answer = Browser(browser.NODE_A).get("/")
    report.check(f"{name}: and afterwards the first page is there at once", answer.status == 200, answer)


def _at_once(change: Callable[[Site], None]) -> None:
    """As with files that both share: between two probes of one there must be one of the other."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(change, settings.SITES))


def _scaled(report: Report, cookie: str) -> list[str]:
    """Three more hosts, and three less, while visitors come."""
    name = "scale up by 3, and down"
    report.say(f"{name} ...")
    repeated = balancer.repeated()
    disturbed = Load(cookie, lasts=25)
    began = time.monotonic()
    compose.up("phase-3", "--scale", "wp-more=3", "wp-more")
    five = _await(lambda: len(balancer.healthy()) == 5)
    came = time.monotonic() - began
    report.check(f"{name}: five targets are healthy", five, balancer.healthy())
    report.check(f"{name}: and a new one answers", _await(lambda: "wp-" not in _front().target))
    compose.up("phase-3", "--scale", "wp-more=0", "wp-more")
    two = _await(lambda: len(balancer.healthy()) == 2)
    report.check(f"{name}: two are left", two, balancer.healthy())
    outcome = disturbed.finish()
    _judge(report, name, outcome)
    return _row(name, outcome, balancer.repeated() - repeated, back=f"{came:.1f}")


def _reloaded(report: Report, cookie: str) -> list[str]:
    """The configuration changes a hundred times."""
    name = f"{settings.RELOADS} reloads"
    report.say(f"{name} ...")
    file = settings.CERTIFICATES / "elbow.toml"
    text = file.read_text()
    repeated, before = balancer.repeated(), balancer.document("/status")["generation"]
    disturbed = Load(cookie)
    try:
        for number in range(settings.RELOADS):
            file.write_text(text.replace("retries = 2", f"retries = {2 + number % 3}"))
            balancer.ask("/reload", "POST")
            time.sleep(0.1)
    finally:
        file.write_text(text)
        balancer.ask("/reload", "POST")
    outcome = disturbed.finish()
    after = balancer.document("/status")["generation"]
    report.check(f"{name}: all were taken over", after >= before + settings.RELOADS, after - before)
    _judge(report, name, outcome, posts_lost=0)
    return _row(name, outcome, balancer.repeated() - repeated)


def _upgraded(report: Report, cookie: str) -> list[str]:
    """Elbow's program is replaced, three times, while visitors come. An idle connection is not cut either: Python's
    clients do not ask again by themselves."""
    name = f"{settings.UPGRADES} upgrades of Elbow"
    report.say(f"{name} ...")
    balancer.install_program()
    compose.up("phase-3+upgrade", "--no-deps", "elbow")
    try:
        balancer.wait_ready()
        balancer.wait_healthy()
        repeated, pids = balancer.repeated(), [balancer.process()["pid"]]
        disturbed = Load(cookie)
        states = []
        for _ in range(settings.UPGRADES):
            time.sleep(settings.BREAK_AT)
            balancer.install_program()
            compose.execute("elbow", "/opt/elbow/elbow", "upgrade", "--admin", ":".join(map(str, settings.ADMIN)))
            states.append(balancer.healthy())
            pids.append(balancer.process()["pid"])
        outcome = disturbed.finish()
        again = balancer.repeated() - repeated
    finally:
        compose.up("phase-3", "--no-deps", "elbow")
        balancer.wait_ready()
        balancer.wait_healthy()
    report.check(f"{name}: each time another process answers", len(set(pids)) == settings.UPGRADES + 1, pids)
    known = all({site.id for site in settings.SITES} <= state for state in states)
    report.check(f"{name}: which knows at once that both hosts are healthy", known, states)
    _judge(report, name, outcome, posts_lost=0)
    return _row(name, outcome, max(0, again))


def _failed_over(report: Report, cookie: str) -> list[str]:
    """The database's primary dies. Until the standby has taken over, no WordPress can do its work: what is asked here is
    how long that takes, and that nothing that was said to be written is lost."""
    name = "database fails over"
    report.say(f"{name} ...")
    repeated = balancer.repeated()
    watch = Watch("db-a", settings.DATABASE_GROUP)
    disturbed = Load(cookie, lasts=30)
    try:
        time.sleep(settings.BREAK_AT)
        broken = time.monotonic()
        docker("kill", compose.container("database"))
        database.promote("standby")
        outcome = disturbed.finish()
    finally:
        watch.end()
    left = watch.first(broken, healthy=False)
    failed = [one.at - broken + one.took for one in outcome.seen if one.failed]
    report.check(f"{name}: the primary left within 5 s", left is not None and left.when - broken <= 5, watch.changes)
    report.check(f"{name}: all is well again within 15 s", not failed or max(failed) <= 15, outcome.detail())
    report.check(f"{name}: no POST arrived twice, none that was acknowledged is missing",
                 outcome.twice == outcome.missing == 0, (outcome.twice, outcome.missing))
    return _row(
        *(name, outcome, balancer.repeated() - repeated),
        left=f"{left.when - broken:.1f}" if left else "never",
        back=f"{max(failed):.1f}" if failed else "0.0",
        reason=left.reason if left else "-",
    )


def _judge(
    report: Report,
    name: str,
    outcome: Outcome,
    own_answer: tuple[int, float] = (0, 0.0),
    gone: float = 0.0,
    posts_lost: int | None = None,
) -> None:
    status, until = own_answer

    def is_own(one: load.Seen) -> bool:
        """The host's own answer, or one that it was just giving when it went."""
        answered = status and one.status == status and one.at <= until
        return bool(answered or (one.midway and one.at <= gone + 1))

    lost = [one for one in outcome.failures("GET") if not is_own(one)]
    report.check(f"{name}: lost {len(lost)} of {len(outcome.of('GET'))} GETs", not lost, outcome.detail())
    once = outcome.twice == 0 and outcome.missing == 0
    report.check(f"{name}: no POST arrived twice, none that was acknowledged is missing", once,
                 (outcome.twice, outcome.missing))
    if posts_lost is not None:
        failed = len(outcome.failures("POST"))
        report.check(f"{name}: lost {failed} of {len(outcome.of('POST'))} POSTs", failed <= posts_lost, outcome.detail())


def _front() -> browser.Answer:
    return Browser(browser.NODE_A).get("/lab/answers.html")


def _await(condition: Callable[[], object]) -> bool:
    """Whether a condition came true in time; the checks say what it means if it did not."""
    try:
        return bool(wait_until("it comes true", condition, settings.RETURN_LIMIT))
    except TimeoutError:
        return False


def _row(name: str, outcome: Outcome, repeated: int, left: str = "-", back: str = "-", reason: str = "-") -> list[str]:
    lost, posts = len(outcome.failures("GET")), len(outcome.failures("POST"))
    figures = [len(outcome.seen), lost, posts, outcome.twice, repeated]
    return [name, *(str(figure) for figure in figures), f"{outcome.p99():.2f}", left, back, reason]
