"""Every name, address, port and time of the lab in one place. Nothing here does anything."""

import os
from dataclasses import dataclass
from pathlib import Path

LAB = Path(__file__).resolve().parent.parent
CHECKOUT = LAB.parent.parent
LOGS = CHECKOUT / "target" / "lab"  # logs, pictures and results: stay after a run, to be read
RUNTIME = Path("/run/elbow-lab")  # pids, sockets, what `down` must put back
STORE = Path("/var/lib/elbow-lab")  # the engine's images: stay, so that the next run is quick

# The VPC is 10.0.0.0/16, as in the hands-on of 2014; where that is in use, ELBOW_LAB_NET names two other numbers. It is
# guarded by an `unreachable` route before anything else happens.
NET = os.environ.get("ELBOW_LAB_NET", "10.0")
RANGE = f"{NET}.0.0/16"
GUARD_METRIC = "9999"
ENGINE_BRIDGE = f"{NET}.200.1/24"  # the engine's own bridge: image builds only
BRIDGES = ("elbow-lab-a", "elbow-lab-pa", "elbow-lab-c", "elbow-lab-pc", "elbow-lab-op")

PROJECT = "elbow-lab"  # Compose's name for all of it


@dataclass(frozen=True)
class Site:
    """One WordPress of phase 3."""

    id: str  # also its service and host name
    zone: str
    network: str  # the public one, in which the balancer reaches it
    bridge: str
    address: str
    other_address: str  # where it is after it has moved


WP_A = Site("wp-a", "ap-northeast-1a", "public-a", "elbow-lab-a", f"{NET}.0.11", f"{NET}.0.31")
WP_C = Site("wp-c", "ap-northeast-1c", "public-c", "elbow-lab-c", f"{NET}.2.12", f"{NET}.2.32")
SITES = (WP_A, WP_C)

# The balancer's two nodes, one a zone, and the site's public name.
NODE_A = f"{NET}.0.10"
NODE_C = f"{NET}.2.10"
HOST = "blog.lab.test"
DIRECT_URL = f"http://{HOST}"  # phases 1 and 2: straight to the only WordPress
URL = f"https://{HOST}"  # phase 3: through the balancer
ADMIN = (f"{NET}.9.10", 9900)
DATABASE_NODE = f"{NET}.1.10"
PROMETHEUS_PORT = 21990

ELBOW_BIN = Path(os.environ.get("ELBOW_BIN") or CHECKOUT / "target" / "debug" / "elbow").resolve()
MIRROR = os.environ.get("ELBOW_LAB_MIRROR", "http://deb.debian.org/debian")
CERTIFICATES = RUNTIME / "elbow"  # the balancer's /etc/elbow
AUTHORITY = RUNTIME / "authority"

# The daemon's own names, as the lab reads them.
GROUP = "wordpress"
ADMIN_GROUP = "wordpress-admin"
DATABASE_GROUP = "mariadb"
METRIC_REQUESTS = "elbow_requests_total"
METRICS_REPEATED = ("elbow_retries_total", "elbow_stale_reuse_total")
METRIC_HEALTHY = "elbow_healthy_hosts"
REASON_INVALID = "Target.InvalidState"
REASON_TIMEOUT = "Target.Timeout"
REASON_FAILED = "Target.FailedHealthChecks"
REASON_MISMATCH = "Target.ResponseCodeMismatch"

# The load, and when it is disturbed (seconds).
LOAD_LASTS = 18
BREAK_AT = 3
AWAY = 9  # longer than the response timeout, 8 s: a request that nobody repeats is lost
RETURN_LIMIT = 60  # a target that has not returned by then will not
REQUEST_LIMIT = 30  # a visitor who waits longer gives up
RELOADS = 100
UPGRADES = 3
TIME_LIMIT = 1500  # the whole run, image builds on a slow day included
BUILD_LIMIT = 2400  # `docker build .` on top of that: everything is compiled
IMAGE_PROFILE = os.environ.get("ELBOW_LAB_PROFILE", "quick")  # of Cargo.toml; users' builds are "release"
PRODUCT_RANGE = f"{NET}.210.0/24"  # where Elbow's image runs by itself
PRODUCT_GATEWAY = f"{NET}.210.1"
PRODUCT = f"{NET}.210.10"
IMAGE_ADDS = 30_000_000  # bytes that Elbow's image may add to its base
DISK_NEEDED = 5 * 1024**3
