"""Which module may import which, and which libraries a command that does nothing yet may load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli_tree import TREE

TOP = Path(__file__).parents[2]
HEAVY = {
    "dns", "paramiko", "sqlalchemy", "alembic", "jinja2", "rich", "imapclient", "bcrypt", "cryptography",
    "idna",
}  # fmt: skip
ADAPTERS = {
    f"eymail.{name}"
    for name in ("dns", "directory", "hosts", "exim", "mail", "providers", "cluster", "lab", "env", "plan")
}


def loaded(*args: str, env: dict[str, str] | None = None) -> set[str]:
    """The modules that a process of eymail imported."""
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "eymail", *args],
        capture_output=True, text=True, timeout=60, check=False, env=env,
    )  # fmt: skip
    lines = [line for line in told.stderr.splitlines() if line.startswith("import time:")]
    modules = {line.rpartition("|")[2].strip() for line in lines}
    assert "eymail.cli.main" in modules, told.stderr
    return modules


def heavy(modules: set[str]) -> set[str]:
    return {module for module in modules if module in ADAPTERS or module.partition(".")[0] in HEAVY}


def test_the_import_contract() -> None:
    """The contracts in pyproject.toml: layers, adapters apart, one home for each library."""
    checker = Path(sys.executable).parent / "lint-imports"
    told = subprocess.run([checker, "--no-cache"], cwd=TOP, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def test_the_check_sees_what_is_loaded() -> None:
    """Or the tests below would pass whatever happened."""
    assert heavy(loaded("spf", "ey04", "--server", "127.0.0.1:1")) >= {
        "dns.message",
        "eymail.dns",
        "eymail.env",
    }


@pytest.mark.parametrize("words", [(), *TREE], ids=lambda words: " ".join(("eymail", *words)))
def test_help_loads_no_library_but_click(words: tuple[str, ...]) -> None:
    assert heavy(loaded(*words, "--help")) == set()


@pytest.mark.parametrize(
    "args",
    [["--version"], ["nosuch"], ["spf"], ["spf", "--nosuch"], ["mx", "show"], ["queue", "nosuch"]],
    ids=" ".join,
)
def test_usage_errors_load_no_library_but_click(args: list[str]) -> None:
    assert heavy(loaded(*args)) == set()
