"""How long the queue takes to tell: ``eymail queue summary --spool`` beside Exim's own tools, in one run.

    python bench/bench_queue.py [--most 100000] [--image NAME]

Makes spools of 1,000, 10,000 and 100,000 messages (3 recipients, 3 kB of headers, a log
with an error for each recipient) and measures whole processes, warm, the best of three.
Exim's tools run in the lab's image with the spool mounted, timed by the shell inside, so
starting the container counts for nothing; eymail runs outside, on the same files, kernel
and CPUs. None of Exim's tools tells the reasons; eymail reads every message's log for them.
Results are ratios: seconds are this machine's.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[0] = str(ROOT)  # not this folder, whose names would hide modules

from eymail.lab import image, podman  # noqa: E402 - found by the line above
from tests.unit.exim_spool import REFUSED, RecipientLine, Written, deferral, message_id  # noqa: E402

BASELINES = {
    "exim -bp | exiqsumm": "exim -bp | exiqsumm",
    "exiqgrep -c -f": "exiqgrep -c -f joe",
    "exim -bpc": "exim -bpc",
}
OURS = "eymail queue summary"
RECEIVED = b"Received: from a by b with esmtp id %d\n\tfor <x@y>; Tue, 14 Nov 2023 22:13:20 +0000\n"
HEADERS = (
    *(("P", RECEIVED % number) for number in range(4)),
    *((" ", b"X-Filler-%d: %s\n" % (number, b"v" * 250)) for number in range(10)),
)
ERRORS = (
    REFUSED,
    b"(110): Connection timed out",
    b"(-44) H=mx%d.example [198.18.0.62]: SMTP error from remote mail server after RCPT TO:<%s>:"
    b" 451 4.7.1 Greylisted, come back in %d seconds",
)


def fill(spool: Path, count: int) -> None:
    inputs, logs = spool / "input", spool / "msglog"
    for directory in (inputs, logs):
        directory.mkdir(parents=True)
    for number in range(count):
        recipients = [b"user%d@domain%d.example" % (n, n % 500) for n in range(number * 3, number * 3 + 3)]
        written = Written(
            id=message_id(number),
            received=1_700_000_000 + number,
            recipients=[RecipientLine(one) for one in recipients],
            headers=HEADERS,
        )
        name = written.id.decode()
        (inputs / f"{name}-H").write_bytes(written.header_file())
        (inputs / f"{name}-D").write_bytes(written.id + b"-D\nbody\n")
        (logs / name).write_bytes(
            b"".join(deferral(one, error(one, n)) for n, one in enumerate(recipients, number))
        )


def error(recipient: bytes, number: int) -> bytes:
    text = ERRORS[number % 3]
    return text % (number, recipient, number % 600) if b"%d" in text else text


def measure_exim(engine: podman.Podman, built: str, spool: Path, config: Path) -> dict[str, float]:
    name = f"eymail-bench-queue-{time.time_ns()}"
    engine.run("run", "-d", "--init", "--name", name, "--network", "none", *engine.limits,
               "-v", f"{spool}:/var/spool/exim4", "-v", f"{config}:/etc/exim4/exim4.conf:ro",
               "--entrypoint", "sleep", built, "infinity")  # fmt: skip
    try:
        engine.run("exec", name, "chown", "-R", "Debian-exim:Debian-exim", "/var/spool/exim4")
        return {
            label: min(_inside(engine, name, command) for _ in range(3))
            for label, command in BASELINES.items()
        }
    finally:
        engine.attempt("rm", "-f", "-t", "0", name)


def _inside(engine: podman.Podman, name: str, command: str) -> float:
    timed = f"TIMEFORMAT=%R; time ({command} >/dev/null)"
    done = engine.attempt("exec", name, "bash", "-c", timed)
    return float(done.stderr.decode().strip().splitlines()[-1])


def measure_eymail(spool: Path) -> float:
    command = [sys.executable, "-m", "eymail", "queue", "summary", "--spool", str(spool)]
    return min(_outside(command) for _ in range(3))


def _outside(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, cwd=ROOT)
    return time.perf_counter() - started


def row(*cells: object) -> None:
    print("\t".join(str(cell) for cell in cells), flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--most", type=int, default=100_000, help="the largest spool, in messages")
    options.add_argument("--image", help="an image with Exim; the lab's unless given")
    given = options.parse_args()
    engine = podman.find()
    built = given.image or image.ensure(engine, "bookworm", lambda words: print(words, file=sys.stderr))
    row("messages", OURS, *(f"{OURS} / {label}" for label in BASELINES), "growth x10")
    before = 0.0
    for count in (size for size in (1_000, 10_000, 100_000) if size <= given.most):
        with tempfile.TemporaryDirectory(prefix="eymail-bench-") as place:
            spool, config = Path(place) / "spool", Path(place) / "exim4.conf"
            fill(spool, count)
            config.write_text("primary_hostname = bench.example\n")
            theirs = measure_exim(engine, built, spool, config)
            ours = measure_eymail(spool)
        ratios = (f"{ours / seconds:.2f}" for seconds in theirs.values())
        row(count, f"{ours:.3f} s", *ratios, f"{ours / before:.1f}" if before else "-")
        before = ours


if __name__ == "__main__":
    main()
