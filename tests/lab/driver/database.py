"""The database: moved to a host of its own in phase 2, followed by a second one in phase 3."""

import compose
import settings
from engine import docker
from report import Report
from shell import wait_until


def wait(service: str) -> None:
    wait_until(
        f"MariaDB of {service} answers",
        lambda: "alive" in compose.execute(service, "mariadb-admin", "ping"),
        90,
    )


def move(report: Report, origin: str, to: str, address: str) -> None:
    """Dump, restore, and tell wp-config: the hands-on's way to RDS."""
    dump = "mariadb-dump --single-transaction wordpress"
    restore = f"mariadb -h {address} -u wordpress -pwordpress wordpress"
    compose.execute(origin, "bash", "-o", "pipefail", "-c", f"{dump} | {restore}", timeout=120)
    before, after = (_posts(service) for service in (origin, to))
    report.check("the restored database has what the old one has", before == after and before > 0, (before, after))
    compose.execute(origin, "sh", "-c", f"echo {address} > /etc/wordpress/database-host")
    compose.execute(origin, "mariadb-admin", "shutdown")


def replicate(report: Report, primary: str, address: str, standby: str) -> None:
    """The standby begins with a dump, and follows from there."""
    sql(primary, "SET GLOBAL rpl_semi_sync_master_enabled = ON")
    dump = "mariadb-dump --single-transaction --master-data=1 --gtid --databases wordpress"
    account = f"MASTER_HOST='{address}', MASTER_USER='replica', MASTER_PASSWORD='replica', MASTER_USE_GTID=slave_pos"
    compose.execute(primary, "sh", "-c", f"{dump} > /tmp/dump.sql", timeout=120)
    copy = settings.RUNTIME / "dump.sql"
    docker("cp", f"{compose.container(primary)}:/tmp/dump.sql", copy)
    docker("cp", copy, f"{compose.container(standby)}:/tmp/dump.sql")
    sql(standby, "SET GLOBAL rpl_semi_sync_slave_enabled = ON; SET GLOBAL read_only = ON")
    compose.execute(standby, "sh", "-c", "mariadb < /tmp/dump.sql", timeout=120)
    sql(standby, f"CHANGE MASTER TO {account}; START SLAVE")
    wait_until("the standby follows", lambda: _follows(standby), 30)
    report.check("the standby has what the primary has", _posts(primary) == _posts(standby) > 0)


def promote(standby: str) -> None:
    """What RDS does when it fails over: the standby becomes a primary."""
    sql(standby, "STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = OFF")


def sql(service: str, statement: str, check: bool = True) -> str:
    return compose.execute(service, "mariadb", "--batch", "--skip-column-names", "--execute", statement, check=check)


def _follows(standby: str) -> bool:
    state = compose.execute(standby, "mariadb", "--execute", "SHOW SLAVE STATUS\\G")
    return "Slave_IO_Running: Yes" in state and "Slave_SQL_Running: Yes" in state and "Behind_Master: 0" in state


def _posts(service: str) -> int:
    return int(sql(service, "SELECT COUNT(*) FROM wordpress.wp_posts").strip())
