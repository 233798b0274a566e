"""The lab's image: Debian by mmdebstrap, the daemons by the Containerfile; built once for each content."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from eymail.errors import LabError
from eymail.lab.podman import Podman
from eymail.lab.process import completed

RELEASES = ("bookworm", "trixie")
MIRROR_VARIABLE = "EYMAIL_LAB_MIRROR"
_NAME = "{{.Repository}}:{{.Tag}}"
_IMAGE = Path(__file__).parent / "image"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_OS_RELEASE = Path("/etc/os-release")
_SOURCES = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))


def ensure(podman: Podman, release: str, progress: Callable[[str], None]) -> str:
    """The image of this release, built when it is not there; its name. Raises LabError."""
    name = f"localhost/eymail-lab-{release}:{_content_hash()}"
    if podman.attempt("image", "exists", name).returncode == 0:
        return name
    base = _ensure_base(podman, release, progress)
    progress(f"building the image of {release}")
    _build(podman, base, name)
    return name


def remove_unused(podman: Podman) -> tuple[str, ...]:
    """Remove the images of labs that no container uses, the bases last; their names."""
    names = podman.run("images", "--filter", "reference=localhost/eymail-lab-*", "--format", _NAME).split()
    ordered = sorted(names, key=lambda name: "-base:" in name)
    return tuple(name for name in ordered if podman.attempt("rmi", name).returncode == 0)


def _content_hash() -> str:
    digest = hashlib.sha256()
    for path in sorted(_IMAGE.iterdir()):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _build(podman: Podman, base: str, name: str) -> None:
    podman.run(
        "build", "--quiet", "--isolation", "chroot", "--network", "host",
        "--build-arg", f"BASE={base}", "--tag", name, str(_IMAGE), timeout=1200,
    )  # fmt: skip


def _ensure_base(podman: Podman, release: str, progress: Callable[[str], None]) -> str:
    name = f"localhost/eymail-lab-base:{release}"
    if podman.attempt("image", "exists", name).returncode == 0:
        return name
    if shutil.which("mmdebstrap") is None:
        raise LabError("the lab's image needs mmdebstrap", "sudo apt-get install mmdebstrap")
    with tempfile.TemporaryDirectory(prefix="eymail-lab-") as folder:
        archive = Path(folder) / "base.tar"
        progress(f"fetching Debian {release}")
        _bootstrap(release, archive)
        podman.run("import", "--quiet", str(archive), name, timeout=300)
    return name


def _bootstrap(release: str, archive: Path) -> None:
    argv = ["mmdebstrap", "--quiet", "--variant=minbase", release, str(archive), *_sources(release)]
    try:
        done = completed(argv, timeout=900)
    except subprocess.TimeoutExpired as error:
        raise LabError(f"fetching Debian {release} took longer than {error.timeout:g} s") from error
    if done.returncode:
        said = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
        raise LabError(f"mmdebstrap could not make Debian {release}: {said[-1] if said else ''}")


def _sources(release: str) -> list[str]:
    """Where packages come from: this machine's own sources, or its mirror for another release."""
    mirror = os.environ.get(MIRROR_VARIABLE)
    if not mirror:
        system = _os_release()
        files = [str(path) for path in _SOURCES if path.exists() and "deb" in path.read_text()]
        if system.get("VERSION_CODENAME") == release and files:
            return files[:1]
        mirror = _own_mirror() if system.get("ID") == "debian" else None
    if not mirror:
        raise LabError(
            f"no mirror of Debian {release} is known on this machine",
            f"set {MIRROR_VARIABLE} to one, and install debian-archive-keyring",
        )
    if not _KEYRING.exists():
        raise LabError(f"{_KEYRING} is missing", "sudo apt-get install debian-archive-keyring")
    return [f"deb [signed-by={_KEYRING}] {mirror} {release} main"]


def _os_release() -> dict[str, str]:
    pairs = (line.partition("=") for line in _OS_RELEASE.read_text().splitlines())
    return {key: value.strip('"') for key, _, value in pairs}


def _own_mirror() -> str | None:
    """The first mirror of Debian itself that this machine's sources name (security archives are others)."""
    for path in _SOURCES:
        if path.exists():
            for uri in _uris(path.read_text()):
                if "security" not in uri:
                    return uri
    return None


def _uris(text: str) -> Iterator[str]:
    """URIs of deb822 fields and of one-line entries (sources.list(5)), comments left out."""
    for line in text.splitlines():
        if match := re.match(r"URIs:\s*(\S+)|deb\s+(?:\[[^]]*\]\s+)?(\S+)", line):
            yield match[1] or match[2]
