"""SSH connections: host keys, logins, and servers that stall, lie or are no SSH servers at all."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest

from eymail.errors import AuthError, EymailError, HostError, HostKeyError
from eymail.hosts.ssh import SshHost
from tests.unit.ssh_peer import Behaviour, Place, listening, make_key, ssh_server


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def user_key(tmp_path: Path) -> paramiko.PKey:
    return make_key(tmp_path / "id")


@pytest.fixture
def host_key(tmp_path: Path) -> paramiko.PKey:
    return make_key(tmp_path / "host_key")


@pytest.fixture
def behaviour(user_key: paramiko.PKey) -> Behaviour:
    return Behaviour((user_key,))


@pytest.fixture
def port(host_key: paramiko.PKey, behaviour: Behaviour) -> Iterator[int]:
    """A server that accepts the user's key."""
    with listening(ssh_server(host_key, behaviour)) as port:
        yield port


def identity(place: Place, name: str = "id") -> str:
    return f"IdentityFile {place.folder / name}"


def test_a_known_host_is_logged_in_to(place: Place, port: int, host_key: paramiko.PKey) -> None:
    place.know(port, host_key)
    host = place.host(port, identity(place))
    assert host.run(["echo", "a b", "$x"]).stdout == b"echo 'a b' '$x'"
    host.close()


def test_an_unknown_key_is_refused_when_nobody_can_be_asked(
    place: Place, port: int, behaviour: Behaviour, host_key: paramiko.PKey
) -> None:
    with pytest.raises(HostKeyError) as raised:
        place.host(port, identity(place)).run(["true"])
    assert host_key.fingerprint in raised.value.message
    assert not place.known_hosts.exists()
    assert behaviour.tried == [], "no key was shown to a server that is not the right one"


def test_a_trusted_key_is_asked_for_once(place: Place, port: int, host_key: paramiko.PKey) -> None:
    asked: list[str] = []
    for _ in range(2):
        host = place.host(port, identity(place), ask=lambda words: not asked.append(words))
        host.run(["true"])
        host.close()
    assert len(asked) == 1
    assert host_key.fingerprint in asked[0]
    found = subprocess.run(["ssh-keygen", "-F", f"[127.0.0.1]:{port}", "-f", place.known_hosts], check=False)
    assert found.returncode == 0


def test_a_key_that_was_not_trusted_is_not_kept(place: Place, port: int) -> None:
    with pytest.raises(HostKeyError, match="was not trusted"):
        place.host(port, identity(place), ask=lambda _words: False).run(["true"])
    assert not place.known_hosts.exists()


def test_a_changed_key_is_refused_even_when_someone_could_be_asked(
    place: Place, port: int, host_key: paramiko.PKey
) -> None:
    other = make_key(place.folder / "other")
    place.know(port, other)
    with pytest.raises(HostKeyError, match="has changed") as raised:
        place.host(port, identity(place), ask=lambda _words: True).run(["true"])
    assert host_key.fingerprint in raised.value.message
    assert other.fingerprint in raised.value.message


def test_a_key_of_another_type_does_not_pass_for_an_unknown_one(place: Place, port: int) -> None:
    """An impostor that offers only a type we do not know yet must not get us to ask."""
    place.know(port, make_key(place.folder / "other", "ecdsa"))
    with pytest.raises(HostKeyError, match="has changed"):
        place.host(port, identity(place), ask=lambda _words: True).run(["true"])


def test_a_revoked_key_is_refused(place: Place, port: int, host_key: paramiko.PKey) -> None:
    place.know(port, host_key)
    place.know(port, host_key, marker="@revoked ")
    with pytest.raises(HostKeyError, match="is revoked"):
        place.host(port, identity(place), ask=lambda _words: True).run(["true"])


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_the_known_type_is_asked_for_first(place: Place, user_key: paramiko.PKey, kind: str) -> None:
    """A server with several host keys shows the one that known_hosts holds."""
    keys = {each: make_key(place.folder / f"host_{each}", each) for each in ("rsa", "ecdsa", "ed25519")}

    def serve(connection: socket.socket) -> None:
        transport = paramiko.Transport(connection)
        for key in keys.values():
            transport.add_server_key(key)
        transport.start_server(server=Behaviour((user_key,)))

    with listening(serve) as port:
        place.know(port, keys[kind])
        host = place.host(port, identity(place))
        assert host.run(["id"]).stdout == b"id"
        host.close()


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_keys_of_every_type_log_in(place: Place, host_key: paramiko.PKey, kind: str) -> None:
    key = make_key(place.folder / kind, kind)
    with listening(ssh_server(host_key, Behaviour((key,)))) as port:
        place.know(port, host_key)
        host = place.host(port, identity(place, kind))
        assert host.run(["id"]).stdout == b"id"
        host.close()


def test_a_refused_key_is_named(place: Place, port: int, host_key: paramiko.PKey) -> None:
    make_key(place.folder / "wrong")
    place.know(port, host_key)
    with pytest.raises(AuthError, match=r"slice1 \(deploy@127.0.0.1 .*refuses every key: .*/wrong"):
        place.host(port, identity(place, "wrong")).run(["true"])


def test_a_key_with_a_passphrase_is_named_and_not_asked_for(
    place: Place, port: int, host_key: paramiko.PKey
) -> None:
    make_key(place.folder / "locked", passphrase="a secret phrase")
    place.know(port, host_key)
    with pytest.raises(AuthError, match=r"no key to log in with; .*/locked has a passphrase \(ssh-add"):
        place.host(port, identity(place, "locked")).run(["true"])


@pytest.mark.parametrize("content", [b"", b"nonsense", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"])
def test_a_file_that_is_no_key_is_named(
    place: Place, port: int, host_key: paramiko.PKey, content: bytes
) -> None:
    (place.folder / "broken").write_bytes(content)
    (place.folder / "broken").chmod(0o600)
    place.know(port, host_key)
    with pytest.raises(AuthError, match=r"/broken is not a key"):
        place.host(port, identity(place, "broken")).run(["true"])


def test_a_key_that_others_can_read_is_not_used(
    place: Place, port: int, host_key: paramiko.PKey, behaviour: Behaviour, user_key: paramiko.PKey
) -> None:
    (place.folder / "id").chmod(0o644)
    place.know(port, host_key)
    with pytest.raises(AuthError, match="can be read by others"):
        place.host(port, identity(place)).run(["true"])
    assert behaviour.tried == []


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Path]:
    """An ssh-agent of the test's own, with no keys in it."""
    path = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 5
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        yield path
        process.terminate()


def test_an_agents_key_logs_in(place: Place, agent: Path, host_key: paramiko.PKey) -> None:
    """The key's file is gone: only the agent has it. A key with a passphrase works that way too."""
    key = make_key(place.folder / "held")
    subprocess.run(["ssh-add", "-q", place.folder / "held"], env={"SSH_AUTH_SOCK": str(agent)}, check=True)
    (place.folder / "held").unlink()
    with listening(ssh_server(host_key, Behaviour((key,)))) as port:
        place.know(port, host_key)
        host = place.host(port)
        config = place.folder / "ssh_config"
        config.write_text(config.read_text().replace("IdentityAgent none", f"IdentityAgent {agent}"))
        assert host.run(["id"]).stdout == b"id"
        host.close()


def test_an_agent_that_is_gone_is_said(place: Place, port: int, host_key: paramiko.PKey) -> None:
    place.know(port, host_key)
    host = place.host(port, "IdentitiesOnly yes", f"IdentityFile {place.folder / 'none'}")
    config = place.folder / "ssh_config"
    config.write_text(config.read_text().replace("IdentityAgent none", f"IdentityAgent {place.folder / 'x'}"))
    with pytest.raises(AuthError, match="the agent does not answer"):
        host.run(["true"])


def drip(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def shout(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"no SSH here, but many lines\r\n" * 1000)


def flood(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"x" * 65536)


def garbage(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-liar\r\n" + os.urandom(100_000))
    connection.recv(1_000_000)


def silent(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def no_kex(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-sleepy\r\n")
    silent(connection)


def http(connection: socket.socket) -> None:
    connection.recv(100)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    connection.close()


@pytest.mark.parametrize(
    "serve", [drip, shout, flood, garbage, silent, no_kex, http, lambda connection: connection.close()]
)
def test_what_is_no_ssh_server_costs_its_deadline_at_most(
    place: Place, serve: Callable[[socket.socket], None], capfd: pytest.CaptureFixture[str]
) -> None:
    threads = threading.active_count()
    with listening(serve) as port:
        started = time.monotonic()
        with pytest.raises(HostError) as raised:
            place.host(port, timeout=1.0).run(["true"])
        assert time.monotonic() - started < 4
    assert re.match(r"slice1 \(deploy@127.0.0.1 port \d+\): ", raised.value.message)
    assert len(raised.value.message) < 300
    assert wait_until(lambda: threading.active_count() <= threads), threading.enumerate()
    assert capfd.readouterr().err == "", "paramiko's own words stay off the screen"


def wait_until(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_closed_port_and_an_unknown_name(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(HostError, match="Connection refused"):
        place.host(port).run(["true"])
    with pytest.raises(HostError, match="the name is not known"):
        SshHost("slice1", "nosuch.invalid", timeout=3).run(["true"])


def test_a_server_that_freezes_at_exec_costs_the_commands_timeout(
    place: Place, host_key: paramiko.PKey, user_key: paramiko.PKey
) -> None:
    behaviour = Behaviour((user_key,), mute=True)
    with listening(ssh_server(host_key, behaviour)) as port:
        place.know(port, host_key)
        host = place.host(port, identity(place), timeout=2.0)
        started = time.monotonic()
        with pytest.raises(HostError, match="did not end within 1 s"):
            host.run(["true"], timeout=1.0)
        with pytest.raises(HostError, match="slice1 has stopped answering"):
            host.connect("127.0.0.1", port, 1.0)
        behaviour.mute = False
        assert host.run(["id"]).stdout == b"id", "the next try connects anew"
        host.close()
        assert time.monotonic() - started < 8


def test_a_login_that_gets_no_answer_is_not_taken_for_a_refusal(
    place: Place, host_key: paramiko.PKey, user_key: paramiko.PKey
) -> None:
    with listening(ssh_server(host_key, Behaviour((user_key,), thinking=5))) as port:
        place.know(port, host_key)
        with pytest.raises(HostError, match="no answer to the login in time"):
            place.host(port, identity(place), timeout=1.0).run(["true"])


def test_a_lost_connection_is_made_again(
    place: Place, port: int, host_key: paramiko.PKey, behaviour: Behaviour
) -> None:
    place.know(port, host_key)
    host = place.host(port, identity(place))
    first = host.connection()
    behaviour.transport.close()
    assert wait_until(lambda: not first.active)
    assert host.run(["id"]).stdout == b"id"
    host.close()


def test_a_jump_host_leads_on(
    place: Place, port: int, host_key: paramiko.PKey, user_key: paramiko.PKey
) -> None:
    """The jump host's key and the host's are both verified, and either is named when it is wrong."""
    inner_key = make_key(place.folder / "inner")
    with listening(ssh_server(inner_key, Behaviour((user_key,)))) as inner:
        place.know(port, host_key)
        place.know(inner, inner_key)
        host = place.host(inner, identity(place), "ProxyJump gateway")
        files = place.folder / "ssh_config"
        gateway = files.read_text().replace("Host slice1", "Host gateway").replace(str(inner), str(port))
        files.write_text(files.read_text() + gateway.replace("ProxyJump gateway", ""))
        assert host.run(["id"]).stdout == b"id"
        host.close()
        place.known_hosts.write_text("")
        place.know(inner, inner_key)
        with pytest.raises(HostKeyError, match=r"slice1: jump host \(deploy@127.0.0.1"):
            host.run(["id"])


def test_a_circle_of_jump_hosts_ends(place: Place) -> None:
    host = place.host(22, "ProxyJump other")
    config = place.folder / "ssh_config"
    config.write_text(config.read_text() + "Host other\nProxyJump slice1\n")
    with pytest.raises(HostError, match="more than 8 jump hosts"):
        host.run(["true"])


def test_a_proxy_command_is_refused_not_run(place: Place) -> None:
    touched = place.folder / "touched"
    with pytest.raises(HostError, match="ProxyCommand"):
        place.host(22, f"ProxyCommand touch {touched}").run(["true"])
    assert not touched.exists()


def test_without_an_ssh_program_the_target_says_it_all(
    place: Place, port: int, host_key: paramiko.PKey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """user@host:port, the default files under HOME, and the error says what was not read."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    place.know(port, host_key)
    place.known_hosts.rename(home / ".ssh" / "known_hosts")
    host = SshHost("slice1", f"deploy@127.0.0.1:{port}", timeout=5)
    with pytest.raises(AuthError, match=r"no key to log in with.*no ssh program here, so ~/.ssh/config was"):
        host.run(["true"])
    (tmp_path / "id").rename(home / ".ssh" / "id_ed25519")
    assert host.run(["id"]).stdout == b"id"
    host.close()


def test_nothing_is_left_after_close(place: Place, port: int, host_key: paramiko.PKey) -> None:
    def files() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    place.know(port, host_key)
    threads, before = threading.active_count(), files()
    for _ in range(10):
        host = place.host(port, identity(place))
        host.run(["true"])
        host.connect("127.0.0.1", port, 5).close()
        host.close()
        host.close()
    # The peer in this process needs a moment to see each connection go.
    assert wait_until(lambda: threading.active_count() <= threads + 1), threading.enumerate()
    assert wait_until(lambda: files() <= before + 1)


@pytest.mark.parametrize("target", ["-oProxyCommand=id", "", "a b", "a\nb", "@host", "user@-x", "x\x1b[2J"])
def test_what_is_no_target_is_refused(target: str) -> None:
    with pytest.raises(EymailError, match="is not an SSH target") as raised:
        SshHost("slice1", target).run(["true"])
    assert raised.value.exit_code == 2
    assert "\x1b" not in raised.value.message
