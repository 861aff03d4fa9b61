"""Certificates ordered from Pebble: the first ones, renewals, failures, reloads, restarts, two processes with one folder.

Logs, configurations and certificates stay in target/acme/.
"""

import shutil
import sys
import time

from balancer import Elbow, Visitors
from checks import CHECKOUT, PROGRAM, Checks
from pebble import Dns, Pebble

SEEN = CHECKOUT / "target" / "acme"
DEADLINE = 40.0

HTTP = "http"
ALPN = "alpn"


class Scene:
    """One authority, one DNS server, one Elbow, one state directory."""

    def __init__(self) -> None:
        shutil.rmtree(SEEN, ignore_errors=True)
        SEEN.mkdir(parents=True)
        self.state = SEEN / "state"
        self.checks = Checks(DEADLINE)
        self.dns = Dns(SEEN)
        self.elbow = Elbow(PROGRAM, SEEN, "elbow")
        self.pebble = Pebble(SEEN, PROGRAM, self.dns, self.elbow.http_port, self.elbow.tls_port)

    def account(self, name: str, challenge: str, more: str = "") -> str:
        return f"""
[[acme]]
name = "{name}"
directory = "{self.pebble.directory}"
ca = "{self.pebble.ca}"
agree_to_terms = true
contact = ["ops@example.com"]
challenges = ["{challenge}"]
{more}
"""

    def accounts(self) -> str:
        return self.account(HTTP, "http-01") + self.account(ALPN, "tls-alpn-01")

    def configure(self, *certificates: str) -> None:
        self.elbow.configure(self.state, self.accounts(), list(certificates))

    def last(self, name: str, elbow: Elbow | None = None) -> str:
        attempt = (elbow or self.elbow).certificate(name)["last_attempt"]
        return attempt["result"] if attempt else "none"


def ordered(account: str, *names: str) -> str:
    quoted = ", ".join(f'"{name}"' for name in names)
    return f'{{ acme = "{account}", names = [{quoted}] }}'


AB = ordered(HTTP, "a.test", "b.test")
C = ordered(ALPN, "c.test")


def first_ones(scene: Scene) -> None:
    elbow, checks = scene.elbow, scene.checks
    scene.configure(AB, C)
    elbow.start()
    checks.in_time("a listener starts while no authority can be reached", lambda: elbow.serial("a.test", None))
    checks.in_time("and says why there is no certificate", lambda: scene.last("a.test") == "unreachable")
    checks.check("clients are shown a placeholder then", elbow.certificate("a.test")["certificate"] is None)
    checks.check("which the log says", elbow.events("until a certificate has come") == 2)
    checks.check("a path of a challenge that nobody waits for is the rules'", by_the_rules(elbow))
    scene.pebble.start()
    root = scene.pebble.root()
    checks.in_time("by http-01 a certificate for several names comes", lambda: elbow.serial("a.test", root))
    checks.check("the second name is on it", elbow.serial("a.test", root) == elbow.serial("b.test", root))
    checks.in_time("by tls-alpn-01 a certificate comes", lambda: elbow.serial("c.test", root))
    checks.check("and nobody answers challenges any more", by_the_rules(elbow))
    metrics = elbow.metrics()
    for row in [
        'elbow_acme_orders_total{certificate="a.test",result="success"} 1',
        'elbow_acme_last_order{certificate="c.test",result="success"} 1',
        'elbow_acme_certificate_expiry_timestamp_seconds{certificate="a.test"} ',
    ]:
        checks.check(f"the metrics have {row.strip()}", row in metrics, metrics)


def by_the_rules(elbow: Elbow) -> bool:
    return elbow.get("/.well-known/acme-challenge/token") == (404, "by the rules")


def renewal(scene: Scene) -> None:
    """Both certificates fall due; only one of them can be had."""
    elbow, checks, root = scene.elbow, scene.checks, scene.pebble.root()
    scene.dns.set("c.test", "127.0.0.66")
    kept = elbow.serial("c.test", root)
    visitors = Visitors(elbow, "a.test", root)
    checks.in_time("a certificate is renewed before it expires", lambda: len(visitors.serials) > 1)
    visitors.stop()
    checks.check(f"no visitor of {visitors.served} noticed", not visitors.failures, visitors.failures[:3])
    checks.in_time("a renewal that fails says so", lambda: scene.last("c.test") == "challenge")
    detail = elbow.certificate("c.test")["last_attempt"]["detail"]
    checks.check("and why", "127.0.0.66" in detail and "tls-alpn-01" in detail, detail)
    checks.check("the certificate before stays", elbow.serial("c.test", root) == kept)
    status = elbow.status()
    checks.check("`elbow status` shows it", "challenge: the authority found by tls-alpn-01" in status, status)
    scene.dns.reset("c.test")
    elbow.renew("c.test")
    checks.in_time("an operator can have it tried again", lambda: elbow.serial("c.test", root) != kept)


def reload(scene: Scene) -> None:
    elbow, checks, root = scene.elbow, scene.checks, scene.pebble.root()
    visitors = Visitors(elbow, "a.test", root)
    scene.configure(ordered(HTTP, "a.test", "b.test", "d.test"), ordered(HTTP, "blocked.test"))
    elbow.reload()
    checks.in_time("a reload adds a name", lambda: elbow.serial("d.test", root))
    visitors.stop()
    checks.check(f"no visitor of {visitors.served} noticed", not visitors.failures, visitors.failures[:3])
    checks.check("a certificate that was taken out is kept no more", len(elbow.ask("GET", "/acme")["certificates"]) == 2)
    checks.in_time("a name that the authority refuses harms no other", lambda: scene.last("blocked.test") == "rejected")


def restart(scene: Scene) -> None:
    elbow, checks, root = scene.elbow, scene.checks, scene.pebble.root()
    scene.configure(ordered(HTTP, "a.test", "b.test", "d.test"))
    elbow.reload()
    serial = elbow.serial("a.test", root)
    orders = elbow.events("ordering a certificate")
    elbow.stop()
    elbow.start()
    checks.in_time("after a restart the certificate is there at once", lambda: elbow.serial("a.test", root) == serial)
    time.sleep(3)  # That nothing happens can only be waited for.
    checks.check("and none is ordered", elbow.events("ordering a certificate") == orders)
    secrets = [path for path in scene.state.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]
    checks.check("what is kept is its owner's alone", not secrets, secrets)


def forgetful_authority(scene: Scene) -> None:
    elbow, checks = scene.elbow, scene.checks
    scene.pebble.stop()
    scene.pebble.start()
    root = scene.pebble.root()
    elbow.renew("a.test")
    checks.in_time("an authority that has forgotten the account is noticed", lambda: scene.last("a.test") == "account")
    elbow.renew("a.test")
    checks.in_time("and another account made", lambda: elbow.serial("d.test", root))


def two_processes(scene: Scene) -> None:
    """The other one orders, and the authority asks this one, which has the ports that it knows."""
    checks, root = scene.checks, scene.pebble.root()
    certificates = [ordered(HTTP, "e.test"), ordered(ALPN, "f.test")]
    scene.configure(*certificates)
    other = Elbow(PROGRAM, SEEN, "other")
    other.configure(scene.state, scene.accounts(), certificates)
    before = scene.elbow.events("ordering a certificate")
    other.start()
    for name, challenge in [("e.test", "http-01"), ("f.test", "tls-alpn-01")]:
        claim = f"what one process orders by {challenge}, another with the same folder shows to be its own"
        checks.in_time(claim, lambda name=name: other.serial(name, root))
    scene.elbow.reload()
    for name in ["e.test", "f.test"]:
        checks.in_time(f"both show one certificate for {name}", lambda name=name: shared(scene.elbow, other, name, root))
    orders = scene.elbow.events("ordering a certificate") - before + other.events("ordering a certificate")
    checks.check("each of which was ordered once", orders == 2, orders)
    other.stop()


def shared(one: Elbow, other: Elbow, name: str, root: str) -> bool:
    return one.serial(name, root) == other.serial(name, root)


def external_account(scene: Scene) -> None:
    checks, pebble = scene.checks, scene.pebble
    scene.elbow.stop()
    pebble.stop()
    key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    pebble.start(externalAccountBindingRequired=True, externalAccountMACKeys={"kid-1": key})
    root = pebble.root()
    file = SEEN / "external.key"
    file.write_text(key + "\n")
    external = f'external_account = {{ key_id = "kid-1", key_file = "{file}" }}\nkey = "rsa-2048"'
    accounts = scene.account(HTTP, "http-01", external) + scene.account(ALPN, "tls-alpn-01")
    scene.elbow.configure(scene.state, accounts, [ordered(HTTP, "g.test"), ordered(ALPN, "h.test")])
    scene.elbow.start()
    checks.in_time("an account that is bound to another one is made", lambda: scene.elbow.serial("g.test", root))
    checks.in_time("one that is not is refused", lambda: scene.last("h.test") == "account")


def main() -> int:
    scene = Scene()
    try:
        for act in [first_ones, renewal, reload, restart, forgetful_authority, two_processes, external_account]:
            act(scene)
    finally:
        scene.elbow.stop()
        scene.pebble.stop()
        scene.dns.stop()
    print(f"{scene.checks.passed} passed, {scene.checks.failed} failed")
    return 1 if scene.checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
