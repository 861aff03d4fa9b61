"""Debian's Chromium without a window, led by chromedriver: the few things of WebDriver that a visit needs."""

import base64
import json
import os
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

_ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",  # whoever runs this as root has no other choice
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--window-size=1180,1000",
    # It calls home at every start if it may. It need find nobody but this machine.
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE 127.0.0.2",
]
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key that the WebDriver standard gives a reference to an element
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Chromium:
    """One window. Use it in `with`: the browser ends with the block."""

    def __init__(self, log: Path, more: Sequence[str] = (), environment: dict[str, str] | None = None) -> None:
        """`more` arguments of Chromium's go after the usual ones, which they may replace; `--enable-x` takes the
        place of `--disable-x`."""
        self._profile = tempfile.TemporaryDirectory(prefix="elbow-browser-", ignore_cleanup_errors=True)
        with log.open("w") as output:
            self._driver = subprocess.Popen(
                ["chromedriver", "--port=0"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
            )
        self._session = ""
        try:
            self._root = f"http://127.0.0.1:{_port(log)}"
            replaced = {argument.replace("--enable-", "--disable-") for argument in more}
            usual = [argument for argument in _ARGUMENTS if argument not in replaced]
            options = {"args": [*usual, *more, f"--user-data-dir={self._profile.name}"]}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            answer = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
            self._session = f"/session/{answer['sessionId']}"
        except BaseException:
            self.close()
            raise

    def open(self, url: str) -> None:
        self._ask("POST", "/url", {"url": url})

    def text(self, selector: str) -> str:
        return str(self._ask("GET", f"/element/{self._find(selector)}/text"))

    def count(self, selector: str) -> int:
        return len(self._ask("POST", "/elements", {"using": "css selector", "value": selector}))

    def click(self, selector: str) -> None:
        self._ask("POST", f"/element/{self._find(selector)}/click", {})

    def enter(self, selector: str, text: str) -> None:
        self._ask("POST", f"/element/{self._find(selector)}/value", {"text": text})

    def run(self, script: str, *arguments: object) -> Any:
        """What a script in the page returns."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": arguments})

    def run_async(self, script: str, *arguments: object) -> Any:
        """What a script in the page gives to its last argument, a function."""
        return self._ask("POST", "/execute/async", {"script": script, "args": arguments})

    def url(self) -> str:
        """Where the page is."""
        return str(self._ask("GET", "/url"))

    def cookies(self) -> dict[str, str]:
        """Those that go with requests for the page, by name."""
        return {cookie["name"]: cookie["value"] for cookie in self._ask("GET", "/cookie")}

    def forget(self) -> None:
        """Deletes those."""
        self._ask("DELETE", "/cookie")

    def screenshot(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self._ask("GET", "/screenshot")))

    def complaints(self) -> list[str]:
        """What scripts and requests of the pages have logged as wrong."""
        entries = self._ask("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]

    def close(self) -> None:
        if self._session:
            self._ask("DELETE", "")
            self._session = ""
        self._driver.terminate()
        self._driver.wait(20)
        self._profile.cleanup()

    def __enter__(self) -> "Chromium":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _find(self, selector: str) -> str:
        return str(self._ask("POST", "/element", {"using": "css selector", "value": selector})[_ELEMENT])

    def _ask(self, method: str, path: str, document: object = None) -> Any:
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(self._root + self._session + path, body, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with _direct.open(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise LookupError(f"{method} {path}: {value['error']}: {value['message'].splitlines()[0]}") from None


def _port(log: Path) -> int:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if found := re.search(r"started successfully on port (\d+)", log.read_text()):
            return int(found[1])
        time.sleep(0.05)
    raise TimeoutError(f"chromedriver does not start:\n{log.read_text()}")
