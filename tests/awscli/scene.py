"""Sites behind Elbow, and AWS's tools at its admin address."""

import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from checks import CHECKOUT
from elbow import Elbow

SEEN = CHECKOUT / "target" / "awscli"


class Site:
    """A small HTTP server that says its name and what it was asked for. It can stop, and come back at its address."""

    def __init__(self, name: str, address: str = "127.0.0.1") -> None:
        self.name = name
        self.address = address
        self.port = 0
        self._server: ThreadingHTTPServer | None = None
        self.start()

    def start(self) -> None:
        name = self.name

        class Answers(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = f"{name} {self.path}\n".encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                # A server that has stopped keeps no connection.
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((self.address, self.port), Answers)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Its port refuses connections then."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class Refused(Exception):
    """What the AWS CLI said on standard error."""


class Cli:
    """The AWS CLI with an Elbow as its endpoint."""

    def __init__(self, elbow: Elbow) -> None:
        self._endpoint = f"http://{elbow.admin}"

    def __call__(self, *arguments: str) -> Any:
        """What `aws elbv2 ARGUMENTS` answers; fails with what it complains of."""
        command = ["aws", "--endpoint-url", self._endpoint, "elbv2", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, env={**os.environ, "AWS_DEFAULT_OUTPUT": "json"})
        if done.returncode:
            raise Refused(done.stderr.strip())
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def refusal(self, *arguments: str) -> str:
        """Why the command is refused; nothing if it is not."""
        try:
            self(*arguments)
        except Refused as refused:
            return str(refused)
        return ""
