"""Compose, and Docker on what Compose has made: the hosts of the lab by their service's name."""

import json
import shutil
from functools import cache
from pathlib import Path

import engine
import images
import settings
from engine import docker
from shell import CommandFailed, run

_FOLDER = settings.LAB / "compose"


def up(phase: str, *arguments: object, timeout: float = 120) -> str:
    """Makes a phase what its file says, and leaves alone what is so already."""
    return compose(phase, "up", "--detach", *arguments, timeout=timeout)


def compose(phase: str, *arguments: object, timeout: float = 120) -> str:
    """`phase` names a file, or several with `+` between them, the later ones over the earlier ones."""
    names = ["vpc", *phase.split("+")]
    files = [word for name in names for word in ("--file", _FOLDER / f"{name}.yaml")]
    command = (*_program(), "--project-name", settings.PROJECT, *files, *arguments)
    return run(*command, timeout=timeout, env=_environment())


def remove_all() -> None:
    """Whatever any phase has made, also after a run that was killed."""
    label = f"label=com.docker.compose.project={settings.PROJECT}"
    if containers := docker("ps", "--all", "--quiet", "--filter", label).split():
        docker("rm", "--force", "--volumes", *containers, timeout=120)
    if networks := docker("network", "ls", "--quiet", "--filter", label).split():
        docker("network", "rm", *networks)
    if volumes := docker("volume", "ls", "--quiet", "--filter", label).split():
        docker("volume", "rm", *volumes)


def container(service: str) -> str:
    """The id of a service's only container, whatever Compose calls it."""
    labels = {"project": settings.PROJECT, "service": service}
    filters = [word for key, name in labels.items() for word in ("--filter", f"label=com.docker.compose.{key}={name}")]
    ids = docker("ps", "--all", "--quiet", "--no-trunc", *filters).split()
    if len(ids) != 1:
        raise CommandFailed(f"there are {len(ids)} containers of the service {service}, not one")
    return ids[0]


def is_running(service: str) -> bool:
    try:
        return docker("inspect", "--format", "{{.State.Running}}", container(service)).strip() == "true"
    except CommandFailed:
        return False


def process(service: str) -> int:
    """The first process of a service's container, as this machine numbers it."""
    return int(docker("inspect", "--format", "{{.State.Pid}}", container(service)).strip())


def execute(service: str, *command: object, timeout: float = 60, check: bool = True) -> str:
    return docker("exec", container(service), *command, timeout=timeout, check=check)


def log(service: str) -> str:
    return docker("logs", "--tail", "2000", container(service))


def network(name: str) -> str:
    """Docker's name for a network of the files."""
    return f"{settings.PROJECT}_{name}"


def is_installed() -> bool:
    """Whether Compose is there, as Docker's plug-in or as Debian's program."""
    return shutil.which("docker-compose") is not None or "docker" in _program()


@cache
def _program() -> tuple[str, ...]:
    """Compose as Docker's plug-in, or Debian's program of that name."""
    try:
        docker("compose", "version")
    except (CommandFailed, FileNotFoundError):
        return ("docker-compose",)
    return ("docker", "compose")


def _environment() -> dict[str, str]:
    socket = engine.socket()
    return {
        **engine.environment(),
        "LAB_NET": settings.NET,
        "LAB_HOST_IMAGE": images.host(),
        "LAB_WORDPRESS_IMAGE": images.WORDPRESS,
        "LAB_ELBOW_IMAGE": images.ELBOW,
        "LAB_RUNTIME": str(settings.RUNTIME),
        "LAB_LOGS": str(settings.LOGS),
        "LAB_DOCKER_SOCKET": str(socket),
        "LAB_DOCKER_GROUP": str(Path(socket).stat().st_gid),
        "COMPOSE_IGNORE_ORPHANS": "true",
        "PYTHONWARNINGS": "ignore",
    }


def address(service: str, network_name: str) -> str:
    """The address that a running host has in a network."""
    networks = json.loads(docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", container(service)))
    return str(networks[network(network_name)]["IPAddress"])
