"""``eymail cluster``: what it tells of the inventory, and the files it writes."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from eymail.env import Env
from eymail.errors import DirectoryError, EymailError, NotFound
from eymail.ops import cluster as ops
from tests.unit.test_cluster_render import EXIM, INVENTORY
from tests.unit.test_cluster_render import rendered as files_of


def toml(value: Any) -> str:
    """A value as TOML writes it; tables inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


@pytest.fixture
def env(tmp_path: Path) -> Env:
    file = tmp_path / "eymail.toml"
    clusters = {**INVENTORY["clusters"], "bare": {"zone": "bare.example"}}
    file.write_text(f'default_cluster = "ey04"\nclusters = {toml(clusters)}\n')
    return Env(str(file))


def test_every_cluster_is_listed(env: Env) -> None:
    clusters = {cluster.name: cluster for cluster in ops.list_all(env).clusters}
    assert set(clusters) == {"ey04", "bare"}
    assert (clusters["ey04"].hosts, clusters["ey04"].source_address, clusters["ey04"].default) == (
        7, "198.18.0.10", True,
    )  # fmt: skip
    assert not clusters["bare"].default


def test_a_cluster_is_shown_with_what_its_mail_comes_from(env: Env) -> None:
    shown = ops.show(env, "")
    sources = {host.name: host.source for host in shown.hosts}
    assert sources["relay1"] == (
        "198.18.0.10; 198.18.0.11 for one.example, two.example; 198.18.0.12 for three.example"
    )
    assert sources["slice1"] == ""
    assert [(entry.address, entry.domains) for entry in shown.dedicated] == [
        ("198.18.0.11", ("one.example", "two.example")),
        ("198.18.0.12", ("three.example",)),
    ]
    assert ops.show(env, "bare").hosts == ()


def test_what_is_rendered_can_be_narrowed_to_a_host(env: Env) -> None:
    everything, relay = ops.rendering(env, ""), ops.rendering(env, "ey04", "relay1")
    assert {file.host for file in relay.files} == {"relay1"}
    assert set(relay.files) < set(everything.files)
    with pytest.raises(NotFound) as caught:
        ops.rendering(env, "", "relay3")
    assert "relay" in caught.value.hint


def test_one_file_is_printed_as_it_is(env: Env) -> None:
    view = ops.content(ops.rendering(env, "", "relay1"), EXIM).view()
    printed = "".join(f"{line}\n" for (line,) in view.rows)
    assert printed == files_of()["relay1", EXIM].content


def test_a_file_has_to_be_named_so_that_there_is_one(env: Env) -> None:
    with pytest.raises(NotFound, match="for several hosts") as caught:
        ops.content(ops.rendering(env, ""), EXIM)
    assert "relay1, relay2, deferred1, mail1" in caught.value.hint
    with pytest.raises(NotFound) as caught:
        ops.content(ops.rendering(env, ""), "/etc/haproxy/haproxy.conf")
    assert caught.value.hint == "did you mean /etc/haproxy/haproxy.cfg?"


def test_the_tree_is_written_whole_and_again(env: Env, tmp_path: Path) -> None:
    """Twice over the same folder: the same files, with their modes, and nothing else beside them."""
    folder = tmp_path / "rendered"
    for _ in range(2):
        written = ops.write(ops.rendering(env, ""), str(folder))
    assert f"{len(written.files)} files are written below {folder}" in written.view().notes
    found = {path for path in folder.rglob("*") if path.is_file()}
    assert found == {folder / file.host / file.path.lstrip("/") for file in written.files}
    for file in written.files:
        path = folder / file.host / file.path.lstrip("/")
        assert path.read_text() == file.content
        assert stat.S_IMODE(path.stat().st_mode) == int(file.mode, 8)


def test_a_folder_that_cannot_be_written_is_named(env: Env, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EymailError, match=f"cannot write below {tmp_path}/file: Not a directory"):
        ops.write(ops.rendering(env, ""), str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == ""


def test_a_directory_that_cannot_be_asked_is_told_and_never_taken_for_an_empty_one(tmp_path: Path) -> None:
    """Files rendered without what was assigned would take a customer's address away."""
    broken = tmp_path / "directory.db"
    broken.write_text("no database, but long enough to be taken for one" * 100)
    file = tmp_path / "eymail.toml"
    directory = toml({"url": f"sqlite:///{broken}"})
    file.write_text(f"clusters = {toml(INVENTORY['clusters'])}\ndirectory = {directory}\n")
    env = Env(str(file))
    shown = ops.show(env, "")
    assert (shown.exit_code, shown.name) == (1, "ey04")
    assert "not checked" in shown.failures[0].hint
    with pytest.raises(DirectoryError):
        ops.rendering(env, "")
    assert ops.rendering(env, "", directory=False).files
    env.close()
