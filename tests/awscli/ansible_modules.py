"""Ansible's modules for AWS make a site, find nothing to change in a second run, and take it down."""

import os
import re
import subprocess
import sys
from pathlib import Path

from checks import Checks, free_ports
from elbow import HOST, Elbow
from scene import CERTIFICATE, SEEN, Site, curl, front

HERE = Path(__file__).parent


def play(elbow: Elbow, book: str, **variables: object) -> tuple[int, int, str]:
    """Runs a playbook: how many tasks have changed something, how many have failed, and all that was said."""
    settings = {"endpoint": f"http://{elbow.admin}", "certificate": CERTIFICATE, **variables}
    given = [part for name, value in settings.items() for part in ("-e", f"{name}={value}")]
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(SEEN / "collections"),
        "ANSIBLE_HOME": str(SEEN / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(SEEN / "ansible" / "tmp"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "LC_ALL": "C.UTF-8",
    }
    command = ["ansible-playbook", "-i", "localhost,", "-e", f"ansible_python_interpreter={sys.executable}", *given, HERE / book]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, stdin=subprocess.DEVNULL)
    said = done.stdout + done.stderr
    recap = re.search(r"changed=(\d+).*failed=(\d+)", said)
    return (int(recap[1]), int(recap[2]), said) if recap else (-1, -1, said)


def main() -> None:
    checks = Checks()
    site = Site("shop")
    http, https = free_ports(2)
    with Elbow("ansible", SEEN) as elbow:
        elbow.configure(front("state", (http, https)))
        elbow.start()
        settings = {"http": http, "https": https, "target_port": site.port}
        changed, failed, said = play(elbow, "site.yml", **settings)
        checks.equal("Ansible makes group, load balancer, rules and target", (changed, failed), (4, 0))
        if failed:
            print(said)
            checks.end()
        there = curl(elbow, f"https://{HOST}:{https}/")
        checks.equal("what it has made serves", there[2], "shop /\n")
        checks.equal("and follows its rules", curl(elbow, f"https://{HOST}:{https}/teapot")[::2], (418, "short and stout"))
        changed, failed, said = play(elbow, "site.yml", **settings)
        checks.equal("a second run finds nothing to change", (changed, failed), (0, 0))
        if changed or failed:
            print(said)
        changed, failed, said = play(elbow, "gone.yml")
        checks.equal("and it takes everything down", (changed, failed), (2, 0))
        if failed:
            print(said)
    checks.end()


main()
