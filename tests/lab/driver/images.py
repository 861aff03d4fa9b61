"""The images, made from Debian's packages alone: a base by mmdebstrap, WordPress, MariaDB. No registry is asked."""

import hashlib
from pathlib import Path

import settings
from engine import docker
from report import Report
from shell import run

BASE = "elbow-lab/base:bookworm"
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*")


def build_all(report: Report) -> None:
    _base(report)
    for name in ("mariadb", "wordpress"):
        if not _present(tag(name)):
            report.say(f"building the image {tag(name)}")
            docker("build", "--build-arg", f"BASE={BASE}", "--tag", tag(name), _folder(name), timeout=480)


def tag(name: str) -> str:
    """Named by its content, so that a changed file means a new image."""
    digest = hashlib.sha256()
    for path in sorted(_folder(name).iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"elbow-lab/{name}:{digest.hexdigest()[:12]}"


def remove_all() -> None:
    """From an engine that is not the lab's; the lab's own loses its whole store."""
    if names := docker("images", "--format", "{{.Repository}}:{{.Tag}}", "elbow-lab/*").split():
        docker("rmi", "--force", *names)


def _base(report: Report) -> None:
    if _present(BASE):
        return
    report.say("making the base image with mmdebstrap")
    settings.STORE.mkdir(parents=True, exist_ok=True)
    archive = settings.STORE / "base.tar"
    no_services = "printf '#!/bin/sh\\nexit 101\\n' > $1/usr/sbin/policy-rc.d && chmod 755 $1/usr/sbin/policy-rc.d"
    run(
        *("nice", "mmdebstrap", "--quiet", "--variant=minbase", "--mode=root"),
        *(f"--dpkgopt=path-exclude={path}" for path in _LEFT_OUT),
        *(f"--customize-hook={no_services}", "bookworm", archive, settings.MIRROR),
        timeout=300,
    )
    docker("import", archive, BASE, timeout=120)
    archive.unlink()


def _present(name: str) -> bool:
    return docker("images", "--quiet", name).strip() != ""


def _folder(name: str) -> Path:
    return settings.LAB / "images" / name
