"""Every name, address, port and time of the lab in one place. Nothing here does anything."""

import os
from dataclasses import dataclass
from pathlib import Path

LAB = Path(__file__).resolve().parent.parent
CHECKOUT = LAB.parent.parent
LOGS = CHECKOUT / "target" / "lab"  # logs and results: stay after a run, to be read
RUNTIME = Path("/run/elbow-lab")  # pids, sockets, what `down` must put back
STORE = Path("/var/lib/elbow-lab")  # the engine's images: stay, so that the next run is quick

# One range for all the lab's networks. It is guarded by an `unreachable` route before anything else happens.
RANGE = "10.201.0.0/16"
GUARD_METRIC = "9999"
ENGINE_BRIDGE = "10.201.0.1/24"  # the engine's own bridge: image builds only


@dataclass(frozen=True)
class Network:
    name: str  # also the name of its bridge on the host: at most 15 characters
    subnet: str
    gateway: str


@dataclass(frozen=True)
class Site:
    """One WordPress container."""

    id: str
    zone: str
    network: Network
    addresses: tuple[str, ...]  # the first is its usual one, the second for moving it
    database_address: str
    hostname: str

    @property
    def container(self) -> str:
        return f"elbow-lab-{self.id}"


ZONE_A = Network("elbow-lab-a", "10.201.1.0/24", "10.201.1.1")
ZONE_C = Network("elbow-lab-c", "10.201.2.0/24", "10.201.2.1")
DATABASE_NETWORK = Network("elbow-lab-db", "10.201.3.0/24", "10.201.3.1")
NETWORKS = (ZONE_A, ZONE_C, DATABASE_NETWORK)

WP_A = Site("wp-a", "ap-northeast-1a", ZONE_A, ("10.201.1.11", "10.201.1.31"), "10.201.3.11", "wp-a.lab.test")
WP_B = Site("wp-b", "ap-northeast-1c", ZONE_C, ("10.201.2.12", "10.201.2.32"), "10.201.3.12", "wp-b.lab.test")
SITES = (WP_A, WP_B)

DATABASE = "elbow-lab-db"
DATABASE_ADDRESS = "10.201.3.10"
CONTENT_VOLUME = "elbow-lab-content"

# The balancer's two nodes, one a zone, and the site's public name.
NODE_A = "127.0.0.11"
NODE_C = "127.0.0.12"
PORT = 21080
HOST = f"blog.lab.test:{PORT}"
URL = f"http://{HOST}"
HEALTH_PATH = "/wp-login.php"
ADMIN_PORT = 21900
PROMETHEUS_PORT = 21990

ELBOW_BIN = Path(os.environ.get("ELBOW_BIN") or CHECKOUT / "target" / "debug" / "elbow").resolve()
MIRROR = os.environ.get("ELBOW_LAB_MIRROR", "http://deb.debian.org/debian")

# The daemon's own names, as the lab reads them.
GROUP = "wordpress"
METRIC_REQUESTS = "elbow_requests_total"
METRICS_REPEATED = ("elbow_retries_total", "elbow_stale_reuse_total")
METRIC_HEALTHY = "elbow_healthy_hosts"
REASON_TIMEOUT = "Target.Timeout"
REASON_FAILED = "Target.FailedHealthChecks"
REASON_MISMATCH = "Target.ResponseCodeMismatch"

# The load, and when it is disturbed (seconds).
CLIENTS = 4
REQUESTS_A_SECOND_A_CLIENT = 4
LOAD_LASTS = 20
BREAK_AT = 3
AWAY = 9  # longer than the response timeout, 8 s: a request that nobody repeats is lost
RETURN_LIMIT = 60  # a target that has not returned by then will not
TIME_LIMIT = 900  # the whole run, image builds on a slow day included
DISK_NEEDED = 5 * 1024**3
