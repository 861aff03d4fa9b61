"""Sites behind Elbow, and AWS's tools at its admin address."""

import json
import os
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from checks import CHECKOUT
from elbow import HOST, Elbow

ACCOUNT = "000000000000"
CERTIFICATE = f"arn:aws:acm:eu-central-1:{ACCOUNT}:certificate/site"
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


def front(folder: str, ports: tuple[int, int]) -> str:
    """What stands in the file of an Elbow whose load balancers are all made through the API: two zones, a security group
    that lets this machine in on these ports, a certificate."""
    http, https = ports
    return f"""
state_directory = "{folder}"
[[subnet]]
name = "subnet-0a"
zone = "eu-central-1a"
cidr_blocks = ["127.0.0.11/32"]
addresses = ["127.0.0.11"]
[[subnet]]
name = "subnet-0b"
zone = "eu-central-1b"
cidr_blocks = ["127.0.0.12/32"]
addresses = ["127.0.0.12"]
[[security_group]]
name = "sg-0c"
inbound = [{{ port = {http}, source = "127.0.0.0/8" }}, {{ port = {https}, source = "127.0.0.0/8" }}]
[[security_group]]
name = "sg-0d"
inbound = [{{ source = "127.0.0.0/8" }}]
[[certificate]]
name = "site"
certificate = "{HOST}.pem"
private_key = "{HOST}.key"
"""


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
        """The code that the command is refused with; nothing if it is not."""
        try:
            self(*arguments)
        except Refused as refused:
            found = re.search(r"\((\w+)\) when calling", str(refused))
            return found[1] if found else str(refused)
        return ""


def curl(elbow: Elbow, url: str, *arguments: str, address: str = "127.0.0.11") -> tuple[int, dict[str, str], str]:
    """What curl is answered at a node's address: status, header fields, body."""
    port = urlsplit(url).port
    command = ["curl", "-sS", "--max-time", "10", "--cacert", str(elbow.authority), "--resolve", f"*:{port}:{address}", "-D", "-"]
    done = subprocess.run([*command, *arguments, url], capture_output=True, text=True, timeout=20)
    if done.returncode:
        raise OSError(done.stderr.strip())
    head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    first, *lines = head.split("\n")
    fields: dict[str, str] = {}
    for name, value in (line.split(": ", 1) for line in lines if ": " in line):
        before = fields.get(name.lower())
        fields[name.lower()] = f"{before}, {value}" if before else value
    return int(first.split(" ")[1]), fields, body
