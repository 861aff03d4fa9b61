"""The images: a base by mmdebstrap, the lab's hosts of Debian's packages, Elbow by its own Dockerfile. No registry is
asked."""

import hashlib
import os
import shutil
from pathlib import Path

import settings
from engine import docker
from report import Report
from shell import CommandFailed, run

BASE = "elbow-lab/base:bookworm"
ELBOW = "elbow-lab/elbow:latest"
FULL = "elbow-lab/elbow:full"
RUST = "elbow-lab/rust:1-bookworm"
WORDPRESS = "elbow-lab/wordpress:latest"  # made of the host of phase 2, as an AMI is of an instance
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*")


def build_all(report: Report) -> None:
    base(report)
    if not _present(host()):
        report.say(f"building the image {host()}")
        docker("build", "--build-arg", f"BASE={BASE}", "--tag", host(), _folder(), timeout=480)


def elbow(report: Report) -> None:
    """Elbow's image, by the stage of its Dockerfile that takes a program that is built already."""
    if not settings.ELBOW_BIN.exists():
        _build_program()
    context = settings.RUNTIME / "image"
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir()
    shutil.copy(settings.ELBOW_BIN, context / "elbow")
    docker(
        *("build", "--file", settings.CHECKOUT / "Dockerfile", "--target", "prebuilt"),
        *("--build-arg", f"RUNTIME_IMAGE={BASE}", "--tag", ELBOW, context),
        timeout=120,
    )
    shutil.rmtree(context)
    report.say(f"{ELBOW} holds {settings.ELBOW_BIN}")


def full(report: Report) -> None:
    """Elbow's image as everybody else gets it: `docker build .`, from the sources. What is different is where the two
    images that it begins with are from, and, unless ELBOW_LAB_PROFILE says release, how hard the compiler tries."""
    _rust(report)
    report.say(f"docker build . (profile {settings.IMAGE_PROFILE}, from nothing but the sources)")
    docker(
        *("build", "--build-arg", f"RUST_IMAGE={RUST}", "--build-arg", f"RUNTIME_IMAGE={BASE}"),
        *("--build-arg", f"PROFILE={settings.IMAGE_PROFILE}"),
        *("--tag", FULL, settings.CHECKOUT),
        timeout=settings.BUILD_LIMIT,
    )


def host() -> str:
    """Named by its content, so that a changed file means a new image."""
    digest = hashlib.sha256()
    for path in sorted(path for path in _folder().rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(_folder())).encode() + b"\0" + path.read_bytes())
    return f"elbow-lab/host:{digest.hexdigest()[:12]}"


def size(name: str) -> int:
    return int(docker("image", "inspect", "--format", "{{.Size}}", name))


def remove_all() -> None:
    """From an engine that is not the lab's; the lab's own loses its whole store."""
    if names := docker("images", "--format", "{{.Repository}}:{{.Tag}}", "elbow-lab/*").split():
        docker("rmi", "--force", *names)


def base(report: Report) -> None:
    """What debian:bookworm-slim is elsewhere."""
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


def _rust(report: Report) -> None:
    if _present(RUST):
        return
    report.say("making an image of this machine's Rust")
    toolchain = Path(run("rustc", "--print", "sysroot").strip())
    context = settings.STORE / "rust"
    shutil.rmtree(context, ignore_errors=True)
    (context / "rust").mkdir(parents=True)
    for folder in ("bin", "lib", "libexec"):
        if (toolchain / folder).exists():
            run("cp", "-a", "--reflink=auto", toolchain / folder, context / "rust", timeout=120)
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", context / "certificates.pem")
    definition = settings.LAB / "images" / "rust" / "Dockerfile"
    docker("build", "--file", definition, "--build-arg", f"BASE={BASE}", "--tag", RUST, context, timeout=480)
    shutil.rmtree(context)


def _build_program() -> None:
    if os.environ.get("ELBOW_BIN"):
        raise CommandFailed(f"ELBOW_BIN names {settings.ELBOW_BIN}, which is not there")
    manifest = settings.CHECKOUT / "Cargo.toml"
    run("nice", "-n", "5", "cargo", "build", "--locked", "--manifest-path", manifest, timeout=900)


def _present(name: str) -> bool:
    return docker("images", "--quiet", name).strip() != ""


def _folder() -> Path:
    return settings.LAB / "images" / "host"
