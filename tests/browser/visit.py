"""Does what the guide of `elbow demo` proposes, as a person would: pages and buttons in a browser, words in a terminal.

All the while another visitor asks for the shop, and must not notice any of it. Pages, logs and pictures stay in
target/browser/.
"""

import http.client
import re
import socket
import subprocess
import sys
import threading

from checks import CHECKOUT, PROGRAM, Checks
from chromium import Chromium

SEEN = CHECKOUT / "target" / "browser"
DEADLINE = 30.0  # for what takes 2 s on an idle machine


class Demo:
    """`elbow demo` on free ports, with a terminal to type in."""

    def __init__(self) -> None:
        self.port, self.admin_port = _free_ports()
        self.admin = f"127.0.0.1:{self.admin_port}"
        with (SEEN / "demo.log").open("w") as log, (SEEN / "demo.txt").open("w") as page:
            ports = ["--port", str(self.port), "--admin-port", str(self.admin_port)]
            self._process = subprocess.Popen(
                [PROGRAM, "demo", *ports], stdin=subprocess.PIPE, stdout=page, stderr=log, text=True
            )

    def type(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def get(self, path: str, node: str = "127.0.0.1") -> tuple[int, str]:
        """Status and body, or the address of a redirect."""
        connection = http.client.HTTPConnection(node, self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read().decode()
            return answer.status, answer.getheader("Location") or body
        finally:
            connection.close()

    def answered_by(self, path: str, node: str = "127.0.0.1") -> str:
        found = re.search(r"<strong>(.*?)</strong>", self.get(path, node)[1])
        return found[1] if found else ""

    def status(self) -> str:
        return _output("status", "--admin", self.admin)

    def state(self, target: str) -> str:
        line = next(line for line in self.status().splitlines() if line.startswith(f"{target} "))
        return line.split()[4]

    def exit_code(self) -> int:
        return self._process.wait(20)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Visitor(threading.Thread):
    """Reloads the shop again and again, ten times a second."""

    def __init__(self, demo: Demo) -> None:
        super().__init__(daemon=True)
        self._demo = demo
        self._end = threading.Event()
        self.pages = 0
        self.failures: list[str] = []

    def run(self) -> None:
        while not self._end.wait(0.1):
            try:
                status, _ = self._demo.get("/")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                continue
            self.pages += 1
            if status != 200:
                self.failures.append(f"status {status}")

    def leave(self) -> None:
        self._end.set()
        self.join()


def main() -> int:
    SEEN.mkdir(parents=True, exist_ok=True)
    checks = Checks(DEADLINE)
    demo = Demo()
    try:
        checks.in_time("all four targets are healthy", lambda: demo.status().count(" healthy ") == 4)
        _look_around(checks, demo)
        visitor = Visitor(demo)
        visitor.start()
        with Chromium(SEEN / "chromedriver.log") as browser:
            _use_the_page(checks, demo, browser)
        _use_the_terminal(checks, demo)
        visitor.leave()
        checks.check(f"no page of {visitor.pages} failed meanwhile", not visitor.failures, visitor.failures[:5])
        demo.type("quit")
        code = demo.exit_code()
        checks.check("`quit` ends it with exit code 0", code == 0, code)
    finally:
        demo.kill()
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


def _look_around(checks: Checks, demo: Demo) -> None:
    shops = {demo.answered_by("/") for _ in range(4)}
    checks.check("both targets answer for the shop", shops == {"shop-a", "shop-c"}, shops)
    blogs = [demo.answered_by("/blog", node) for node in ("127.0.0.1", "127.0.0.2")]
    checks.check("each node prefers the blog in its own zone", blogs == ["blog-a", "blog-c"], blogs)
    hello = demo.get("/hello")
    checks.check("a fixed response", hello == (200, "Hello from the balancer itself.\n"), hello)
    old = demo.get("/old/post")
    checks.check("a redirect", old == (302, f"http://127.0.0.1:{demo.port}/blog"), old)
    (SEEN / "elbow.toml").write_text(_output("demo", "--print-config"))
    said = _output("check", str(SEEN / "elbow.toml"))
    checks.check("the configuration behind it can be used", "can be used: 1 load balancer" in said, said)


def _use_the_page(checks: Checks, demo: Demo, browser: Chromium) -> None:
    browser.open(f"http://127.0.0.1:{demo.port}/")
    checks.check("the browser shows the shop", "The shop, answered by" in browser.text("h1"), browser.text("h1"))
    browser.open(f"http://{demo.admin}/")
    checks.in_time("the admin page shows four healthy targets", lambda: browser.count(".badge.healthy") == 4)
    browser.click("button[aria-label='stop shop-a']")
    checks.in_time("stopped there, it is unhealthy there", lambda: browser.count(".badge.unhealthy") == 1)
    groups = browser.text("#target-groups")
    checks.check("with its reason", "Target.FailedHealthChecks" in groups, groups)
    browser.screenshot(SEEN / "admin-page.png")
    shops = {demo.answered_by("/") for _ in range(4)}
    checks.check("the other answers alone", shops == {"shop-c"}, shops)
    browser.click("button[aria-label='start shop-a']")
    checks.in_time("started there, it is healthy again", lambda: browser.count(".badge.healthy") == 4)
    checks.in_time("and answers again", lambda: demo.answered_by("/") == "shop-a")
    browser.click("button[aria-label='drain shop-c']")
    checks.in_time("a target can be drained there", lambda: browser.count(".badge.draining") == 1)
    browser.click("button[aria-label='undrain shop-c']")
    checks.in_time("and called back", lambda: browser.count(".badge.healthy") == 4)
    complaints = browser.complaints()
    checks.check("the browser has nothing to complain of", not complaints, complaints)


def _use_the_terminal(checks: Checks, demo: Demo) -> None:
    demo.type("stop blog-a")
    checks.in_time("stopped in the terminal, it is unhealthy", lambda: demo.state("blog-a") == "unhealthy")
    other = demo.answered_by("/blog")
    checks.check("the other zone takes over", other == "blog-c", other)
    demo.type("start blog-a")
    checks.in_time("started, it answers again", lambda: demo.answered_by("/blog") == "blog-a")


def _output(*arguments: str) -> str:
    done = subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    if done.returncode != 0:
        raise OSError(f"elbow {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def _free_ports() -> tuple[int, int]:
    """One for the site and the first of five in a row."""
    for base in range(21_100, 29_000, 10):
        sockets = [socket.socket() for _ in range(7)]
        try:
            for offset, one in enumerate(sockets):
                one.bind(("127.0.0.2" if offset == 6 else "127.0.0.1", base + offset % 6))
            return base, base + 1
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise OSError("no free ports")


sys.exit(main())
