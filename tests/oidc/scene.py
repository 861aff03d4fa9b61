"""The provider, a target that says what it was told, and clients that say what they want."""

import base64
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from checks import CHECKOUT, PROGRAM
from elbow import DEADLINE, HOST

SEEN = CHECKOUT / "target" / "oidc"

SECRET = "a secret: with + and %"


class Provider:
    """oidc-provider, over HTTPS at localhost, with a certificate of Elbow's authority. Use it in `with`."""

    def __init__(self, folder: Path, port: int, redirect_uris: list[str]) -> None:
        self.url = f"https://localhost:{port}"
        self.port = port
        self._folder = folder
        self._redirect_uris = redirect_uris
        self._process: subprocess.Popen[bytes] | None = None
        subprocess.run([PROGRAM, "cert", "localhost"], cwd=folder, check=True, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        module = SEEN / "node_modules" / "oidc-provider" / "lib" / "index.js"
        script = Path(__file__).with_name("provider.mjs")
        node = shutil.which("node") or "node"
        command = [node, script, module.as_uri(), str(self.port), *self._redirect_uris]
        with (self._folder / "provider.log").open("a") as log:
            self._process = subprocess.Popen(command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"the provider does not start: {(self._folder / 'provider.log').read_text()}")

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def pause(self) -> None:
        """Connections are still made, and nothing comes of them."""
        assert self._process
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process
        os.kill(self._process.pid, signal.SIGCONT)

    def __enter__(self) -> "Provider":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@dataclass
class Answer:
    status: int
    fields: http.client.HTTPMessage
    body: str
    seconds: float

    @property
    def cookies(self) -> dict[str, str]:
        """What is set, by name."""
        pairs = [value.split(";")[0].split("=", 1) for value in self.fields.get_all("Set-Cookie", [])]
        return {name: value for name, value in pairs}

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Asks one server on this machine, over a connection each time; follows nothing and keeps nothing."""

    def __init__(self, name: str, port: int, tls: ssl.SSLContext) -> None:
        self._address = (name, port)
        self._tls = tls

    def ask(self, path: str, fields: dict[str, str] | None = None, form: dict[str, str] | None = None) -> Answer:
        name, port = self._address
        connection = http.client.HTTPSConnection(name, port, timeout=20, context=self._tls)
        connection._create_connection = lambda *_: socket.create_connection(("127.0.0.1", port), 20)  # type: ignore[attr-defined]
        began = time.monotonic()
        try:
            kind = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
            body = urllib.parse.urlencode(form) if form else None
            connection.request("POST" if form else "GET", path, body, {**kind, **(fields or {})})
            answer = connection.getresponse()
            text = answer.read().decode()
            return Answer(answer.status, answer.headers, text, time.monotonic() - began)
        finally:
            connection.close()


def basic(name: str, secret: str) -> str:
    quoted = f"{urllib.parse.quote_plus(name)}:{urllib.parse.quote_plus(secret)}"
    return "Basic " + base64.b64encode(quoted.encode()).decode()


class Echo(BaseHTTPRequestHandler):
    """Says in JSON which header fields came, in order."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        told = {"path": self.path, "fields": [[name.lower(), value] for name, value in self.headers.items()]}
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def serve_echo() -> int:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def told(text: str) -> dict[str, list[str]]:
    """What the target was told of a user: all values by the name of the field, forms with `_` among them."""
    found: dict[str, list[str]] = {}
    for name, value in json.loads(text)["fields"]:
        if name.replace("_", "-").startswith("x-amzn-oidc"):
            found.setdefault(name, []).append(value)
    return found


def listener(port: int, rules: list[str]) -> str:
    """An HTTPS listener that forwards to the target; `rules` say what comes before, by TOML's inline tables."""
    head = f"""
[[load_balancer]]
name = "web"
nodes = [{{ address = "127.0.0.1" }}]
[[load_balancer.listener]]
port = {port}
protocol = "HTTPS"
TLS
default = {{ forward = "echo" }}
"""
    numbered = [
        f"[[load_balancer.listener.rule]]\npriority = {number}\nforward = \"echo\"\n{rule}\n"
        for number, rule in enumerate(rules, 1)
    ]
    return head + "".join(numbered)


def target(port: int) -> str:
    return f'[[target_group]]\nname = "echo"\ntargets = [{{ address = "127.0.0.1:{port}" }}]\nhealth_check = {{ enabled = false }}\n'


__all__ = ["HOST", "SECRET", "SEEN", "Answer", "Client", "Provider", "basic", "listener", "serve_echo", "target", "told"]
