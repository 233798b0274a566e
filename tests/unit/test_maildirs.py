"""Mail folders on a host: counted, deleted as planned or not at all, and never brought back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eymail.directory import passwords
from eymail.env import Env
from eymail.errors import InvalidInput, Refused
from eymail.hosts.local import LocalHost
from eymail.mail import maildirs
from eymail.mail.maildirs import Stored
from eymail.ops import change, mailbox, reception, route_check, stored
from eymail.ops import domain as domains
from tests.unit.directories import applied, environment

NAME = "example.com"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(maildirs, "ROOT", str(tmp_path / "vmail"))
    return tmp_path / "vmail"


@pytest.fixture
def env(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Env]:
    """An environment whose mail host is this machine."""
    config = '[clusters.ey04.hosts.mail1]\nrole = "mail"\naddress = "127.0.0.1"\n'
    monkeypatch.setattr(passwords, "_COST", 4)
    monkeypatch.setattr(reception, "warn", lambda *_arguments: None)  # there is no DNS here
    with environment(tmp_path) as made:
        file = tmp_path / "eymail.toml"
        file.write_text(file.read_text() + config)
        made._hosts["mail1"] = LocalHost("mail1")
        assert route_check.mail_host(made).name == "mail1"
        yield made


def deliver(root: Path, domain: str = NAME, local: str = "joe", count: int = 1, folder: str = "new") -> None:
    place = root / domain / local / "Maildir" / folder
    place.mkdir(parents=True, exist_ok=True)
    for _ in range(count):
        (place / f"{len(list(place.iterdir()))}.message").write_text("x" * 100)


def test_messages_are_what_lies_in_cur_and_new(root: Path) -> None:
    deliver(root, count=2)
    deliver(root, folder="cur")
    deliver(root, folder="tmp")
    deliver(root, folder=".Sent/cur")
    (root / NAME / "joe" / "Maildir" / "dovecot-uidlist").write_text("y" * 999)
    whole, box, none = maildirs.count(
        LocalHost("here"),
        maildirs.folder_of(NAME),
        maildirs.folder_of(NAME, "joe"),
        maildirs.folder_of("no.such"),
    )
    assert whole == box == Stored(True, 4, 400)
    assert none == Stored(False, 0, 0)


@pytest.mark.parametrize(
    "parts", [("..",), ("a/b",), ("",), (NAME, "../other"), (NAME, "a\0b"), (NAME, "..")]
)
def test_a_folder_is_below_the_root(parts: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput):
        maildirs.folder_of(*parts)


def test_mail_stays_and_is_told_until_purge(env: Env, root: Path) -> None:
    applied(env, mailbox.add(env, f"joe@{NAME}"))
    deliver(root, count=3)
    deliver(root, domain="other.example")
    plan = domains.remove(env, NAME)
    assert f"mail of {NAME}: 3 messages, 300 bytes on the mail host, stay until --purge" in plan.notes
    assert not plan.final
    outcome = applied(env, plan)
    assert outcome.view().notes[-1] == f"undo with: eymail undo {outcome.id}"
    assert (root / NAME).is_dir()

    # Gone from the directory, and its mail can still be purged.
    plan = domains.remove(env, NAME, purge=True)
    assert plan.dangers == (
        f"all mail of {NAME} is deleted and cannot be brought back: 3 messages, 300 bytes",
    )
    outcome = applied(env, plan)
    assert outcome.view().notes[-1] == "this cannot be undone"
    assert not (root / NAME).exists() and (root / "other.example").is_dir()
    assert domains.remove(env, NAME, purge=True).steps == ()


def test_what_was_purged_cannot_be_undone(env: Env, root: Path) -> None:
    applied(env, mailbox.add(env, f"joe@{NAME}"))
    deliver(root)
    outcome = applied(env, domains.remove(env, NAME, purge=True))
    assert outcome.id is not None
    with pytest.raises(Refused, match=f"mail of {NAME} was deleted on mail1, and cannot be brought back"):
        change.undo(env, outcome.id)


def test_mail_that_came_meanwhile_is_not_deleted(env: Env, root: Path) -> None:
    applied(env, domains.add(env, NAME))
    deliver(root)
    plan = domains.remove(env, NAME, purge=True)
    deliver(root)
    outcome = applied(env, plan)
    assert outcome.exit_code == 4 and outcome.error and outcome.error.code == "stale-plan"
    assert maildirs.count(LocalHost("here"), maildirs.folder_of(NAME))[0].messages == 2
    # Only the directory's part was done, and that can be taken back.
    assert outcome.id is not None and not outcome.final
    applied(env, change.undo(env, outcome.id))
    assert [one.name for one in domains.list_(env).domains] == [NAME]


def test_a_link_is_not_followed(env: Env, root: Path) -> None:
    deliver(root, domain="other.example")
    (root / NAME).symlink_to(root / "other.example")
    step = maildirs.removal("mail1", NAME, Stored(True, 0, 0))
    with pytest.raises(Exception, match="symbolic link"):
        maildirs.MailExecutor(env.host).apply((step,), 1)
    assert maildirs.count(LocalHost("here"), maildirs.folder_of("other.example"))[0].messages == 1


def test_a_mailbox_that_finds_mail_of_an_earlier_one_says_so(env: Env, root: Path) -> None:
    assert not [note for note in mailbox.add(env, f"joe@{NAME}").notes if "earlier" in note]
    deliver(root, count=2)
    notes = mailbox.add(env, f"joe@{NAME}").notes
    assert f"mail of an earlier joe@{NAME} lies there, and will be in it: 2 messages, 200 bytes" in notes
    assert not [note for note in mailbox.add(env, f"ann@{NAME}").notes if "earlier" in note]


def test_what_cannot_be_asked_is_not_checked(env: Env, monkeypatch: pytest.MonkeyPatch) -> None:
    applied(env, domains.add(env, NAME))
    env._hosts["mail1"] = Away("mail1")
    (found,) = stored.of_domains(env, [NAME])
    assert not isinstance(found, Stored)
    assert any("not checked" in note for note in domains.remove(env, NAME).notes)
    assert any("not checked" in note for note in mailbox.add(env, f"joe@{NAME}").notes)
    with pytest.raises(Exception, match="away"):
        domains.remove(env, NAME, purge=True)


class Away(LocalHost):
    """A host that cannot be reached."""

    def run(self, argv, **options):  # type: ignore[no-untyped-def]  # any signature will do
        from eymail.errors import HostError

        raise HostError("mail1: away")
