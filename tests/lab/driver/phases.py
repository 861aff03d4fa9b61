"""The hands-on of 2014 in its three phases, each of which ends with a visit by browser."""

import balancer
import browser
import compose
import database
import hosts
import images
import settings
import window
import wordpress
from browser import Browser
from engine import docker
from report import Report
from shell import wait_until


def phase_1(report: Report) -> None:
    report.stage("phase 1: one WordPress, its database in it")
    compose.remove_all()
    compose.up("phase-1")
    database.wait("wordpress")
    owner = Browser(browser.DIRECT)
    first = wait_until("Apache answers", lambda: owner.get("/"), 30)
    report.check("a new site sends its visitor to the installer", "install.php" in first.location, first)
    done = wordpress.install(owner)
    report.check("the install form, posted, installs WordPress", done.status == 200 and "Success!" in done.text, done)
    wordpress.log_in(owner)
    saved = wordpress.set_permalinks(owner)
    report.check("a form of the admin pages saves its setting", "settings-updated=true" in saved.location, saved)
    window.visit(report, "phase-1", settings.DIRECT_URL, settings.WP_A.address)


def phase_2(report: Report) -> None:
    report.stage("phase 2: the database on a host of its own")
    if not compose.is_running("wordpress"):
        phase_1(report)
    compose.up("phase-2")
    database.wait("database")
    database.move(report, "wordpress", "database", f"{settings.NET}.1.20")
    programs = compose.execute("wordpress", "sh", "-c", "cat /proc/[0-9]*/comm").split()
    alone = "apache2" in programs and "mariadbd" not in programs
    report.check("no database runs beside WordPress any more", alone, programs)
    answer = Browser(browser.DIRECT).get("/phase-1/")
    report.check("what was written before is read from there", "Written in phase 1" in answer.text, answer)
    window.visit(report, "phase-2", settings.DIRECT_URL, settings.WP_A.address)


def phase_3(report: Report) -> None:
    report.stage("phase 3: two WordPress from one image in two zones, Elbow in front, a standby for the database")
    begun = compose.is_running("wp-a") and compose.is_running("database")
    if not begun:
        _make_image(report)
    balancer.prepare(report)
    compose.up("phase-3", "--scale", "wp-more=0")
    if not begun:
        database.wait("standby")
        database.replicate(report, "database", f"{settings.NET}.3.21", "standby")
    balancer.wait_ready()
    balancer.wait_healthy()
    balancer.check_shield(report)
    found = {target["target"]["id"]: target["target"]["availability_zone"] for target in balancer.targets()}
    expected = {site.id: site.zone for site in settings.SITES}
    report.check("the engine's labels make both a target, each in its zone", found == expected, found)
    _use(report)
    window.visit(report, "phase-3", settings.URL, settings.NODE_A, balancer.AUTHORITY_CERTIFICATE)


def _make_image(report: Report) -> None:
    """An AMI of the instance, in the words of the hands-on; the instance has done its part."""
    if not (compose.is_running("wordpress") and compose.is_running("database")):
        phase_2(report)
    instance = compose.container("wordpress")
    docker("commit", "--change", 'CMD ["wordpress"]', instance, images.WORDPRESS, timeout=120)
    docker("rm", "--force", instance)
    report.say(f"{images.WORDPRESS} is an image of the first host, which is no more")


def ensure_phase_3(report: Report) -> None:
    """For stages that need the whole site."""
    if not compose.is_running("elbow"):
        phase_3(report)
    hosts.mend_all()
    balancer.wait_healthy()


def _use(report: Report) -> None:
    """What a visitor of two hosts must not notice."""
    plain = Browser(browser.Door(settings.NODE_A, tls=False)).get("/phase-2/")
    report.check(
        "plain HTTP is sent to HTTPS",
        plain.status == 301 and plain.location.startswith(f"{settings.URL}") and plain.location.endswith("/phase-2/"),
        plain,
    )
    for node in (browser.NODE_A, browser.NODE_C):
        answers = Browser(node).from_every_target("/phase-2/")
        good = {target for target, answer in answers.items() if "Written in phase 2" in answer.text}
        report.check(f"through {node.address} both hosts answer, with what was written", good == _both(), good)
    owner = Browser(browser.NODE_C)
    wordpress.log_in(owner)
    answers = owner.from_every_target("/wp-admin/")
    good = {target for target, answer in answers.items() if answer.status == 200 and "Dashboard" in answer.text}
    report.check("a login is good at both", good == _both(), [str(answer)[:120] for answer in answers.values()])
    Browser(browser.NODE_A).from_every_target("/?visit")
    visitor = f"{settings.NET}.0.1"
    told = {site.id for site in settings.SITES if f'{visitor} ' in compose.log(site.id)}
    report.check("both log the visitor's own address", told == _both(), told)


def _both() -> set[str]:
    return {site.id for site in settings.SITES}
