"""How long the directory takes: import, list and route as whole processes, in one run on one machine.

    python bench/bench_directory.py [--most 100000] [--lab NAME] [--image NAME]

Imports bring their hashes with them, as a move from another system does. "growth" is how many times as
long ten times as many take. "agent" has the directory spoken for by the agent in a process of its own on
this machine; "SSH" is the mail host of a lab that is up (``eymail lab up --name NAME``), from outside
through its gateway; what was imported there is taken back. Memory is the process's largest, by wait4.

The peer is what people have today: a virtual map of Postfix, which ``postmap`` builds anew at each change
(in a container of the lab's image; "not measured" where there is none). Beside it stands one more mailbox
imported into a directory with as many. Results are ratios: seconds are this machine's.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[0] = str(ROOT)  # not this folder, whose names would hide modules

from eymail.errors import EymailError  # noqa: E402 - found by the line above
from eymail.lab import image, podman  # noqa: E402

HASH = "{BLF-CRYPT}$2y$10$GkU/dEXxt9l6sGH5G56v8exCzkvdJdG9krSl1r2e55W56xLcleFIW"
EYMAIL = str(Path(sys.executable).parent / "eymail")
ROUNDS = 5
# With the directory on "this host", as the agent sees it: the same code as through SSH, without SSH.
BY_AGENT = """
import sys
from eymail.env import Env
from eymail.hosts.local import LocalHost
Env.host = lambda self, name: LocalHost(name)
from eymail.cli.main import main
main()
"""


@dataclass(frozen=True)
class Cost:
    """A process's seconds and its largest memory in megabytes."""

    seconds: float
    megabytes: float


def cost(*argv: str) -> Cost:
    """Run a process to its end; its output goes nowhere."""
    began = time.perf_counter()
    with Path(os.devnull).open("wb") as nowhere:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=nowhere, stderr=subprocess.PIPE)
    assert process.stderr
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        raise SystemExit(f"{' '.join(argv)}: {said.decode(errors='replace')}")
    return Cost(time.perf_counter() - began, used.ru_maxrss / 1024)


def least(*argv: str) -> Cost:
    """The quickest of some runs."""
    return min((cost(*argv) for _ in range(ROUNDS)), key=lambda one: one.seconds)


def write(file: Path, count: int, name: str = "user") -> str:
    rows = (f"{name}{number}@d{number % 100}.example,{HASH}\n" for number in range(count))
    file.write_text("address,password\n" + "".join(rows))
    return str(file)


def configured(folder: Path, *, agent: bool = False) -> str:
    """A configuration with an empty directory."""
    folder.mkdir()
    hosts = (
        '[clusters.b]\nzone = "b.example.com"\n[clusters.b.hosts.here]\nrole = "mail"\naddress = "10.0.0.5"\n'
    )
    place = f'[directory]\nurl = "sqlite:///{folder}/d/directory.db"\n'
    file = folder / "eymail.toml"
    file.write_text(place + ('host = "here"\n' + hosts if agent else ""))
    return str(file)


def row(*cells: object) -> None:
    print("\t".join(str(cell) for cell in cells), flush=True)


def imports(place: Path, sizes: list[int], lab: str) -> None:
    row("import of", "this machine", "growth", "agent", "growth", "SSH", "growth")
    before: list[Cost | None] = [None, None, None]
    for count in sizes:
        file = write(place / f"{count}.csv", count)
        here = ("mailbox", "import", file, "--config", configured(place / f"here{count}"))
        agent = ("mailbox", "import", file, "--config", configured(place / f"agent{count}", agent=True))
        now = [cost(EYMAIL, *here), cost(sys.executable, "-c", BY_AGENT, *agent), through_ssh(lab, file)]
        cells = (cell for pair in zip(now, before, strict=True) for cell in told(*pair))
        row(count, *cells)
        before = now


def told(now: Cost | None, before: Cost | None) -> tuple[str, str]:
    if now is None:
        return "not measured", "-"
    return f"{now.seconds:.2f} s", f"{now.seconds / before.seconds:.1f}" if before else "-"


def through_ssh(lab: str, file: str) -> Cost | None:
    if not lab:
        return None
    inside = (EYMAIL, "lab", "run", "--name", lab, "--", "eymail")
    found = cost(*inside, "mailbox", "import", file)
    newest = subprocess.run([*inside, "history", "--limit", "1"], capture_output=True, text=True, check=True)
    cost(*inside, "undo", newest.stdout.split("\t")[0], "--yes")
    return found


def reading(place: Path, sizes: list[int]) -> None:
    row("mailboxes", "list", "list memory", "list --json memory", "export memory", "route")
    for count in sizes:
        config = filled(place, count)
        listed = least(EYMAIL, "mailbox", "list", "--config", config)
        as_json = cost(EYMAIL, "mailbox", "list", "--json", "--config", config)
        exported = cost(EYMAIL, "mailbox", "export", "--config", config)
        routed = least(EYMAIL, "route", "user1@d1.example", "--config", config)
        memory = (f"{one.megabytes:.0f} MB" for one in (listed, as_json, exported))
        row(count, f"{listed.seconds:.2f} s", *memory, f"{routed.seconds * 1000:.0f} ms")


def filled(place: Path, count: int) -> str:
    """The configuration of a directory with so many mailboxes."""
    folder = place / f"filled{count}"
    if folder.exists():
        return str(folder / "eymail.toml")
    config = configured(folder)
    cost(EYMAIL, "mailbox", "import", write(place / "rows.csv", count), "--config", config)
    return config


def one_change(place: Path, sizes: list[int], built: str | None) -> None:
    row("one change among", "eymail mailbox import", "postmap", "eymail / postmap")
    for count in sizes:
        config = filled(place, count)
        ours = min(
            cost(
                EYMAIL, "mailbox", "import", write(place / "one.csv", 1, f"new{turn}x"), "--config", config
            ).seconds
            for turn in range(ROUNDS)
        )
        theirs = postmap(built, count)
        ratio = "-" if theirs is None else f"{ours / theirs:.2f}"
        row(count, f"{ours:.2f} s", "not measured" if theirs is None else f"{theirs:.2f} s", ratio)


def postmap(built: str | None, count: int) -> float | None:
    """The seconds of the quickest rebuild; None where Postfix is not to be had."""
    if built is None:
        return None
    engine, script = podman.find(), (ROOT / "bench" / "postmap.sh").read_bytes()
    argv = ("run", "--rm", "-i", "--network", "host", *engine.limits, "--entrypoint", "bash", built)
    try:
        done = engine.run(*argv, "-s", "--", str(count), str(ROUNDS), input=script)
    except EymailError as error:
        print(f"postmap: {error.message}", file=sys.stderr)
        return None
    found = [float(line) for line in done.split() if line.replace(".", "", 1).isdigit()]
    return min(found, default=None)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--most", type=int, default=100_000, help="the most mailboxes that are listed")
    options.add_argument("--lab", default="", help="a lab that is up, for imports through SSH")
    options.add_argument("--image", help="an image with apt and Postfix's libraries; the lab's unless given")
    given = options.parse_args()
    try:
        built = given.image or image.ensure(
            podman.find(), "bookworm", lambda words: print(words, file=sys.stderr)
        )
    except EymailError as error:
        print(f"no container: {error.message}", file=sys.stderr)
        built = None
    sizes = [size for size in (1_000, 10_000, 100_000) if size <= given.most]
    with tempfile.TemporaryDirectory(prefix="eymail-bench-") as folder:
        place = Path(folder)
        imports(place, sizes[:2], given.lab)
        reading(place, sizes)
        one_change(place, sizes, built)


if __name__ == "__main__":
    main()
