"""A spool as it lies: both layouts, named queues, journals, sizes, and files that vanish or make no sense."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eymail.exim.scanner import CannotScan, Line, scan
from tests.unit.exim_spool import GREYLISTED, NOT_YET, REFUSED, RecipientLine, Written, deferral, message_id


def messages(spool: Path, **filters: object) -> list[Line]:
    *lines, _ = scan(str(spool), filters, sums=False)
    return sorted(lines, key=lambda line: str(line["id"]))


def groups(spool: Path, **filters: object) -> dict[tuple[str, str], Line]:
    *lines, _ = scan(str(spool), filters, sums=True)
    return {(line["domain"], line["reason"]): line for line in lines}


def end(spool: Path) -> Line:
    return list(scan(str(spool), {}, sums=True))[-1]


def test_every_layout_and_queue_is_read(tmp_path: Path) -> None:
    Written(id=message_id(1)).into(tmp_path)
    Written(id=message_id(2)).into(tmp_path, sub="0")
    Written(id=message_id(3, long=True)).into(tmp_path, sub="a")
    Written(id=message_id(4)).into(tmp_path, queue="slow", sub="q")
    (tmp_path / "db").mkdir()
    found = {line["id"]: line["queue"] for line in messages(tmp_path)}
    assert found == {
        message_id(1).decode(): "",
        message_id(2).decode(): "",
        message_id(3, long=True).decode(): "",
        message_id(4).decode(): "slow",
    }


def test_files_that_are_no_messages_are_passed_over(tmp_path: Path) -> None:
    written = Written()
    written.into(tmp_path)
    for name in ("hdr.1rKDq4-000Ayz-2b", "1rKDq4-000Ayz-2c-D", "1rKDq4-000Ayz-2c-J", "x-H", "1rKDq4-H-H"):
        (tmp_path / "input" / name).write_bytes(written.header_file())
    assert end(tmp_path)["messages"] == 1
    assert end(tmp_path)["malformed"] == []


def test_undelivered_is_recipients_without_the_tree_and_the_journal(tmp_path: Path) -> None:
    written = Written(
        recipients=[RecipientLine(one + b"@x.example") for one in (b"a", b"b", b"c", b"B")],
        delivered=[b"b@x.example"],
    )
    written.into(tmp_path)
    (tmp_path / "input" / f"{written.id.decode()}-J").write_bytes(b"c@x.example\n")
    (line,) = messages(tmp_path)
    assert [recipient[0] for recipient in line["recipients"]] == ["a@x.example", "B@x.example"]


def test_a_message_with_nobody_left_is_counted_as_exim_counts_it(tmp_path: Path) -> None:
    Written(delivered=[b"ann@busy.example"]).into(tmp_path)
    assert list(groups(tmp_path)) == [("", "nothing left to deliver")]
    assert end(tmp_path)["messages"] == 1
    assert groups(tmp_path, domains=["busy.example"]) == {}


def test_the_size_is_that_of_exim_bp(tmp_path: Path) -> None:
    headers = [(" ", b"Subject: x\n"), ("*", b"X-Old: rewritten\n")]
    written = Written(headers=headers)
    written.into(tmp_path, body=b"x" * 1000)
    (line,) = messages(tmp_path)
    assert line["size"] == len(b"Subject: x\n") + 1000 + 1


def test_malformed_files_are_named_and_hide_nothing(tmp_path: Path) -> None:
    Written(id=message_id(1)).into(tmp_path)
    inputs = tmp_path / "input"
    (inputs / "1rKDq4-000Ayz-2b-H").write_bytes(b"")
    (inputs / "1rKDq4-000Ayz-2c-H").write_bytes(b"1rKDq4-000Ayz-2c-H\n\x1b[2J\n")
    (inputs / "1rKDq4-000Ayz-2d-H").mkdir()
    (inputs / "1rKDq4-000Ayz-2e-H").symlink_to("/etc/shadow")
    os.mkfifo(inputs / "1rKDq4-000Ayz-2f-H")
    last = end(tmp_path)
    assert last["messages"] == 1
    assert {name[-3:] for name, _ in last["malformed"]} == {"b-H", "c-H", "d-H", "e-H", "f-H"}


def test_a_file_that_vanishes_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Written(id=message_id(1)).into(tmp_path)
    Written(id=message_id(2)).into(tmp_path)
    listdir = os.listdir

    def listing_then_delivery(path: bytes) -> list[bytes]:
        names = listdir(path)
        (tmp_path / "input" / f"{message_id(2).decode()}-H").unlink(missing_ok=True)
        return names

    monkeypatch.setattr(os, "listdir", listing_then_delivery)
    last = end(tmp_path)
    assert (last["messages"], last["malformed"]) == (1, [])


def test_raw_bytes_come_out_as_escapes_not_as_errors(tmp_path: Path) -> None:
    Written(sender=b"\xff\x1b[2J@x", recipients=[RecipientLine(b"\xfe@y.example")]).into(tmp_path)
    (line,) = messages(tmp_path)
    assert line["sender"] == "\\xff\x1b[2J@x"
    assert line["recipients"][0][0] == "\\xfe@y.example"


def test_sums_are_by_domain_and_reason(tmp_path: Path) -> None:
    ann, bob, eve = b"ann@busy.example", b"bob@Busy.example", b"eve@refused.example"
    for number, received in ((1, 1_700_000_000), (2, 1_700_000_500)):
        log = deferral(ann, GREYLISTED) + deferral(bob, GREYLISTED) + deferral(eve, REFUSED)
        recipients = [RecipientLine(one) for one in (ann, bob, eve)]
        Written(
            id=message_id(number),
            received=received,
            recipients=recipients,
            options=[b"-frozen 1"] * (number - 1),
        ).into(tmp_path, log=log)
    found = groups(tmp_path)
    assert set(found) == {("busy.example", "451 4.7.1 greylisted"), ("refused.example", "connection refused")}
    busy = found["busy.example", "451 4.7.1 greylisted"]
    assert (busy["messages"], busy["recipients"], busy["oldest"], busy["frozen"]) == (2, 4, 1_700_000_000, 1)
    last = end(tmp_path)
    assert (last["messages"], last["recipients"], last["frozen"]) == (2, 6, 1)


def test_the_real_cause_is_found_behind_retry_time_not_reached(tmp_path: Path) -> None:
    """From an earlier line of the same log, from another message to the domain."""
    ann = b"ann@busy.example"
    Written(id=message_id(1)).into(tmp_path, log=deferral(ann, GREYLISTED) + deferral(ann, NOT_YET))
    Written(id=message_id(2)).into(tmp_path, log=deferral(ann, NOT_YET))
    assert [line["recipients"][0][1] for line in messages(tmp_path)] == [
        "451 4.7.1 greylisted",
        "retry time not reached",
    ]
    Written(id=message_id(3)).into(tmp_path, log=deferral(ann, b"(110): Connection timed out"))
    reasons = [line["recipients"][0][1] for line in messages(tmp_path)]
    assert reasons == ["451 4.7.1 greylisted", "connection timed out", "connection timed out"]


def test_an_alias_tells_the_cause_for_the_domain_it_led_to(tmp_path: Path) -> None:
    child = (
        b"2023-11-14 22:13:20 two@busy.example <ann@alias.example> R=r defer (110): Connection timed out\n"
    )
    Written(id=message_id(1), recipients=[RecipientLine(b"ann@alias.example")]).into(tmp_path, log=child)
    Written(id=message_id(2)).into(tmp_path, log=deferral(b"ann@busy.example", NOT_YET))
    assert [line["recipients"][0][1] for line in messages(tmp_path)] == ["connection timed out"] * 2


def test_the_relay_tells_what_stopped_a_message_that_is_not_tried_here_yet(tmp_path: Path) -> None:
    told = b"busy.example: mx [198.18.0.62] 451 4.7.1 greylisted"
    told += b" refused.example: mx [198.18.0.66] Connection refused"
    recipients = [RecipientLine(one + b".example") for one in (b"ann@Busy", b"eve@refused", b"joe@other")]
    written = Written(id=message_id(1), recipients=recipients, variables=[(b"--aclm", b"_first_cause", told)])
    written.into(tmp_path, log=b"2023-11-14 22:13:20 Received from <> U=root P=local S=303\n")
    (line,) = messages(tmp_path)
    assert [recipient[1:] for recipient in line["recipients"]] == [
        ["451 4.7.1 greylisted", "mx [198.18.0.62] 451 4.7.1 greylisted"],
        ["connection refused", "mx [198.18.0.66] Connection refused"],
        ["not tried yet", ""],
    ]
    hidden = deferral(b"ann@Busy.example", NOT_YET)
    written.into(tmp_path, log=hidden)
    assert messages(tmp_path)[0]["recipients"][0][1] == "451 4.7.1 greylisted"
    written.into(tmp_path, log=hidden + deferral(b"ann@Busy.example", REFUSED))
    assert messages(tmp_path)[0]["recipients"][0][1] == "connection refused"


def test_large_queues_are_shared_out_without_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several processes, each with its share, come to the same sums and rows as one."""
    for number in range(200):
        recipient = b"ann@domain%d.example" % (number % 7)
        error = NOT_YET if number % 5 else REFUSED
        written = Written(id=message_id(number), received=number, recipients=[RecipientLine(recipient)])
        written.into(tmp_path, log=deferral(recipient, error))
    (tmp_path / "input" / "1rKDq4-000Ayz-2b-H").write_bytes(b"")
    rows, sums = messages(tmp_path), groups(tmp_path)
    monkeypatch.setattr("eymail.exim.scanner._FILES_FOR_TWO", 0)
    monkeypatch.setattr("eymail.exim.scanner._processes", lambda: 3)
    assert (messages(tmp_path), groups(tmp_path)) == (rows, sums)
    last = end(tmp_path)
    assert (last["messages"], last["recipients"], last["oldest"], len(last["malformed"])) == (200, 200, 0, 1)


def test_no_log_and_nothing_tried_are_told_apart(tmp_path: Path) -> None:
    Written(id=message_id(1)).into(tmp_path, log=None)
    Written(id=message_id(2)).into(
        tmp_path, log=b"2023-11-14 22:13:20 Received from <> U=root P=local S=303\n"
    )
    assert [line["recipients"][0][1] for line in messages(tmp_path)] == [
        "no error on record",
        "not tried yet",
    ]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, {1, 2, 3}),
        ({"recipients": ["ann@busy.example"]}, {1, 2}),
        ({"recipients": ["ANN@*"]}, {1, 2}),
        ({"senders": ["joe@app.example"]}, {1}),
        ({"senders": ["<>"]}, {2}),
        ({"senders": ["<>", "o*@*"]}, {2, 3}),
        ({"domains": ["*.example"]}, {1, 2, 3}),
        ({"domains": ["refused.example"]}, {3}),
        ({"reasons": ["refused"]}, {3}),
        ({"reasons": ["REFUSED", "451"]}, {1, 2, 3}),
        ({"frozen": True}, {2}),
        ({"older": 50}, {1}),
        ({"younger": 50}, {2, 3}),
        ({"ids": [message_id(3).decode()]}, {3}),
        ({"domains": ["busy.example"], "frozen": True}, {2}),
        ({"domains": ["busy.example"], "reasons": ["refused"]}, set()),
    ],
)
def test_filters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, filters: dict[str, object], expected: set[int]
) -> None:
    monkeypatch.setattr("eymail.exim.scanner.time.time", lambda: 1_700_000_100.0)
    ann, eve = b"ann@busy.example", b"eve@refused.example"
    Written(id=message_id(1)).into(tmp_path, log=deferral(ann, GREYLISTED))
    Written(id=message_id(2), sender=b"", received=1_700_000_090, options=[b"-frozen 1"]).into(
        tmp_path, log=deferral(ann, GREYLISTED)
    )
    Written(
        id=message_id(3), sender=b"other@x.example", received=1_700_000_090, recipients=[RecipientLine(eve)]
    ).into(tmp_path, log=deferral(eve, REFUSED))
    assert {line["id"] for line in messages(tmp_path, **filters)} == {
        message_id(one).decode() for one in expected
    }
    *_, last = scan(str(tmp_path), filters, sums=True)
    assert last["messages"] == len(expected)


def test_what_is_no_spool_is_said(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(CannotScan) as raised:
            end(place)
        assert raised.value.code == "missing"
