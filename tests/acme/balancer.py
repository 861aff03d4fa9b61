"""Elbow, as a client and an operator meet it."""

import http.client
import json
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

from checks import free_ports


class Elbow:
    """`elbow run`, with a listener for HTTP and one for HTTPS."""

    def __init__(self, program: Path, folder: Path, name: str, ports: tuple[int, int] | None = None) -> None:
        self._program = program
        self._path = folder / f"{name}.toml"
        self._log_path = folder / f"{name}.log"
        self.http_port, self.tls_port = ports or free_ports(2)
        [self._admin] = free_ports(1)
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, state: Path, accounts: str, certificates: list[str]) -> None:
        """What `accounts` is in TOML, and the certificates of the HTTPS listener."""
        self._path.write_text(f"""
workers = 1
state_directory = "{state}"
admin = {{ address = "127.0.0.1:{self._admin}" }}
{accounts}
[[load_balancer]]
name = "web"
nodes = [{{ address = "127.0.0.1" }}]
[[load_balancer.listener]]
port = {self.http_port}
default = {{ fixed_response = {{ status = 404, body = "by the rules" }} }}
[[load_balancer.listener]]
port = {self.tls_port}
protocol = "HTTPS"
certificates = [{", ".join(certificates)}]
default = {{ fixed_response = {{ status = 200, body = "hello" }} }}
""")

    def start(self) -> None:
        with self._log_path.open("a") as log:
            command = [self._program, "run", "--log-format", "json", "--config", self._path]
            self._process = subprocess.Popen(command, stderr=log)

    def reload(self) -> None:
        admin = f"127.0.0.1:{self._admin}"
        subprocess.run([self._program, "reload", "--admin", admin], check=True, stdout=subprocess.DEVNULL)

    def status(self) -> str:
        admin = f"127.0.0.1:{self._admin}"
        return subprocess.run([self._program, "status", "--admin", admin], check=True, capture_output=True, text=True).stdout

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(40)
            self._process = None

    def events(self, message: str) -> int:
        """How many lines of the log begin with it."""
        lines = self._log_path.read_text().splitlines()
        return sum(json.loads(line)["message"].startswith(message) for line in lines)

    def certificate(self, name: str) -> dict:
        """What the admin address says of a certificate."""
        certificates = self.ask("GET", "/acme")["certificates"]
        return next(document for document in certificates if document["name"] == name)

    def renew(self, name: str) -> None:
        self.ask("POST", f"/acme/{name}/renew")

    def metrics(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self._admin, timeout=10)
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()

    def ask(self, method: str, path: str) -> dict:
        connection = http.client.HTTPConnection("127.0.0.1", self._admin, timeout=10)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status >= 400:
                raise OSError(f"{path}: {answer.status} {body!r}")
            return json.loads(body)
        finally:
            connection.close()

    def get(self, path: str) -> tuple[int, str]:
        """Status and body over plain HTTP."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": "a.test"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def serial(self, name: str, root: str | None) -> str:
        """The serial number of what a client of that name is shown. Trusts `root`, or does not look."""
        context = ssl.create_default_context(cadata=root) if root else ssl._create_unverified_context()
        with (
            socket.create_connection(("127.0.0.1", self.tls_port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=name) as secured,
        ):
            secured.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
            answer = b""
            while chunk := secured.recv(4096):
                answer += chunk
            if not answer.endswith(b"hello"):
                raise OSError(f"not served: {answer!r}")
            # Python decodes what it has verified only.
            return secured.getpeercert()["serialNumber"] if root else str(hash(secured.getpeercert(binary_form=True)))


class Visitors:
    """Somebody who asks for a page again and again, with a handshake each time, and believes no bad certificate."""

    def __init__(self, elbow: Elbow, name: str, root: str) -> None:
        self.served = 0
        self.serials: list[str] = []
        self.failures: list[str] = []
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._visit, args=(elbow, name, root))
        self._thread.start()

    def _visit(self, elbow: Elbow, name: str, root: str) -> None:
        while not self._ends.is_set():
            try:
                serial = elbow.serial(name, root)
                if serial not in self.serials:
                    self.serials.append(serial)
                self.served += 1
            except (OSError, ssl.SSLError) as error:
                self.failures.append(repr(error))
            time.sleep(0.02)

    def stop(self) -> None:
        self._ends.set()
        self._thread.join()
