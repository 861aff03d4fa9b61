"""Pebble, with a DNS server whose answers can be changed. All on 127.0.0.1, on free ports."""

import json
import os
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path

from checks import free_ports

# Valid for so long (s), so that a renewal is due after two thirds of it. The least that leaves time for a failure.
LIFE = 36


class Dns:
    """Pebble's mock DNS server: every name stands for 127.0.0.1, unless it is told otherwise."""

    def __init__(self, folder: Path) -> None:
        self.port, self._management = free_ports(2)
        with (folder / "dns.log").open("w") as log:
            self._process = subprocess.Popen(
                [
                    "pebble-challtestsrv",
                    *("-dns01", f"127.0.0.1:{self.port}", "-management", f"127.0.0.1:{self._management}"),
                    *("-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""),
                ],
                stdout=log,
                stderr=log,
            )

    def set(self, name: str, address: str) -> None:
        self._post("add-a", {"host": f"{name}.", "addresses": [address]})

    def reset(self, name: str) -> None:
        self._post("clear-a", {"host": f"{name}."})

    def _post(self, what: str, document: dict[str, object]) -> None:
        url = f"http://127.0.0.1:{self._management}/{what}"
        urllib.request.urlopen(url, json.dumps(document).encode(), timeout=10).close()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


class Pebble:
    """The authority. Stopping and starting it makes it forget everything, its own keys as well."""

    def __init__(self, folder: Path, elbow: Path, dns: Dns, http_port: int, tls_port: int) -> None:
        self._folder = folder
        self._dns = dns
        self._ports = {"httpPort": http_port, "tlsPort": tls_port}
        self._port, self._management = free_ports(2)
        self.directory = f"https://127.0.0.1:{self._port}/dir"
        self.ca = folder / "pebble-ca" / "ca.pem"
        command = [elbow, "cert", "127.0.0.1", "--ca", folder / "pebble-ca", "--out", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **settings: object) -> None:
        config = {
            "listenAddress": f"127.0.0.1:{self._port}",
            "managementListenAddress": f"127.0.0.1:{self._management}",
            "certificate": str(self._folder / "127.0.0.1.pem"),
            "privateKey": str(self._folder / "127.0.0.1.key"),
            "certificateValidityPeriod": LIFE,
            "domainBlocklist": ["blocked.test"],
            **self._ports,
            **settings,
        }
        path = self._folder / "pebble.json"
        path.write_text(json.dumps({"pebble": config}))
        # Some nonces are refused, as its makers advise; what was shown once is to be shown again.
        environment = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0", "PEBBLE_WFE_NONCEREJECT": "10"}
        with (self._folder / "pebble.log").open("a") as log:
            self._process = subprocess.Popen(
                ["pebble", "-config", path, "-strict", "-dnsserver", f"127.0.0.1:{self._dns.port}"],
                env=environment,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                self.root()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("pebble does not start; see its log")

    def root(self) -> str:
        """The certificate that all others lead to, as PEM."""
        context = ssl.create_default_context(cafile=str(self.ca))
        url = f"https://127.0.0.1:{self._management}/roots/0"
        with urllib.request.urlopen(url, timeout=10, context=context) as answer:
            return answer.read().decode()

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(10)
            self._process = None
