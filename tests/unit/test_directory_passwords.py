"""Hashes that crypt(3) knows, passwords that cannot be guessed, and clear words about bad ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eymail.directory import passwords
from eymail.errors import InvalidInput


def test_a_hash_has_its_scheme_and_fits_its_password_alone() -> None:
    hashed = passwords.hashed("correct horse")
    assert hashed.startswith("{BLF-CRYPT}$2y$10$")
    assert passwords.matches("correct horse", hashed)
    assert not passwords.matches("correct horsf", hashed)
    assert passwords.hashed("correct horse") != hashed


def test_a_scheme_of_somebody_elses_matches_nothing() -> None:
    assert not passwords.matches("x", "{SHA512-CRYPT}$6$abc")
    assert not passwords.matches("x", "{BLF-CRYPT}rubbish")


def test_made_passwords_differ_and_can_be_read_out() -> None:
    made = {passwords.make() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(one) == 23 and not set(one) & set("0oil1") for one in made)
    assert all(passwords.check(one) == one for one in made)


@pytest.mark.parametrize("wrong", ["", "a" * 73, "ä" * 37, "a\nb", "a\0b", "\x1b[31m"])
def test_a_bad_password_is_refused_without_being_shown(wrong: str) -> None:
    with pytest.raises(InvalidInput) as told:
        passwords.hashed(wrong)
    assert told.value.hint
    assert not wrong or wrong not in told.value.message + told.value.hint


@settings(max_examples=10, deadline=None)
@given(st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=18))
def test_any_printable_password_can_be_had(password: str) -> None:
    assert passwords.matches(password, passwords.hashed(password))
