"""Man pages and the command reference are made from the tree, and are current."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

TOP = Path(__file__).parents[2]


def test_generated_pages_are_current() -> None:
    spec = importlib.util.spec_from_file_location("generate", TOP / "docs" / "generate.py")
    assert spec and spec.loader
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert generate.stale() == [], "run make docs"


def test_every_man_page_is_clean_roff() -> None:
    for page in sorted((TOP / "man").glob("*.1")):
        text = page.read_text()
        assert "\x08" not in text, page.name
        assert not re.search(r"(?m)^'", text), page.name
        assert text.count("\n.nf") == text.count("\n.fi"), page.name


def test_the_readme_names_commands_that_exist() -> None:
    from eymail.cli.registry import COMMANDS

    named = set(re.findall(r"eymail ([a-z]+)", (TOP / "README.md").read_text()))
    assert named - {"itself", "tells"} <= set(COMMANDS), named - set(COMMANDS)


def test_the_shell_scripts_parse() -> None:
    for script in (".ci/run", ".ci/setup"):
        subprocess.run(["bash", "-n", str(TOP / script)], check=True)
