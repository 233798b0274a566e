"""Hashes that crypt(3) knows, passwords that cannot be guessed, and clear words about bad ones."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eymail.directory import hashes, passwords, sha_crypt
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


@pytest.mark.parametrize(
    "wrong", ["", "1234567", "a" * 73, "ä" * 37, "abcdefg\nb", "abcdefg\0b", "\x1b[31mabcdefg"]
)
def test_a_bad_password_is_refused_without_being_shown(wrong: str) -> None:
    with pytest.raises(InvalidInput) as told:
        passwords.hashed(wrong)
    assert told.value.hint
    assert not wrong or wrong not in told.value.message + told.value.hint


@settings(max_examples=10, deadline=None)
@given(
    st.text(st.characters(categories=("L", "N", "P", "S")), min_size=8, max_size=18),
    st.sampled_from(passwords.SCHEMES),
)
def test_any_printable_password_can_be_had(password: str, scheme: str) -> None:
    made = passwords.hashed(password, scheme)
    assert made.startswith(f"{{{scheme}}}")
    assert hashes.problem(made) is None
    assert hashes.canonical(made) == made
    assert passwords.matches(password, made)
    assert not passwords.matches(password + "x", made)


def test_only_bcrypt_stops_at_72_bytes() -> None:
    for scheme in ("SHA512-CRYPT", "SCRAM-SHA-256"):
        made = passwords.hashed("a" * 73, scheme)
        assert passwords.matches("a" * 73, made)
        assert not passwords.matches("a" * 72, made)
    with pytest.raises(InvalidInput, match="128"):
        passwords.hashed("a" * 129, "SHA512-CRYPT")


def test_a_scheme_that_is_not_made_here_is_told() -> None:
    with pytest.raises(InvalidInput, match="MD5"):
        passwords.hashed("correct horse", "MD5")


@pytest.mark.parametrize(
    ("salt", "rounds", "password", "hashed"),
    [
        ("saltstringsaltst", 10000, "Hello world!",
         "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v."),
        ("toolongsaltstrin", 5000, "This is just a test",
         "$6$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0"),
    ],
)  # fmt: skip
def test_the_vectors_of_the_specification(salt: str, rounds: int, password: str, hashed: str) -> None:
    assert sha_crypt.sha512(password.encode(), salt, rounds) == hashed


@settings(max_examples=15, deadline=None)
@given(st.text("abcXYZ019 $%äö'\"\\\\", min_size=1, max_size=70))
def test_openssl_makes_the_same_sha512(password: str) -> None:
    argv = ["openssl", "passwd", "-6", "-salt", "abc.DEF/9", "-stdin"]
    told = subprocess.run(argv, input=password.encode(), capture_output=True, check=True)
    assert sha_crypt.sha512(password.encode(), "abc.DEF/9") == told.stdout.decode().strip()


BCRYPT = "$2y$10$GkU/dEXxt9l6sGH5G56v8exCzkvdJdG9krSl1r2e55W56xLcleFIW"
ARGON = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$Q3NvbWVoYXNoc29tZWhhc2hzb21laGFzaHNvbWU"


@pytest.mark.parametrize(
    "given", [BCRYPT, "{CRYPT}" + BCRYPT, "{blf-crypt}" + BCRYPT, "{BLF-CRYPT}" + BCRYPT]
)
def test_a_hash_is_known_by_whatever_name_it_comes(given: str) -> None:
    assert hashes.canonical(given) == "{BLF-CRYPT}" + BCRYPT
    assert hashes.problem(hashes.canonical(given)) is None


def test_argon2id_is_taken_and_cannot_be_compared_here() -> None:
    assert hashes.problem(hashes.canonical(ARGON)) is None
    assert not passwords.matches("whatever it is", "{ARGON2ID}" + ARGON)


@pytest.mark.parametrize("bad", [
    "", "x", "{MD5}abc", "{PLAIN-MD5}abc", "{SSHA}abc", "{BLF-CRYPT}", "{BLF-CRYPT}" + BCRYPT + "\n",
    "{BLF-CRYPT}" + BCRYPT[:-1], "{BLF-CRYPT}" + BCRYPT.replace("$10$", "$31$"), "{BLF-CRYPT}$6$abc$def",
    "{BLF-CRYPT}" + BCRYPT.replace("$10$", "$03$"), "{SHA512-CRYPT}$6$rounds=999999999$a$" + "a" * 86,
    "{SCRAM-SHA-256}999999999,YWFhYWFhYWE=," + "a" * 43 + "=," + "b" * 43 + "=",
    "{ARGON2ID}" + ARGON.replace("65536", "99999999"), "{}" + BCRYPT, "{ X}" + BCRYPT, "$1$abc$def",
    "{SHA512-CRYPT}$6$a'; DROP TABLE mailboxes; --$" + "a" * 86, "{CRYPT}$y$j9T$abc$def",
])  # fmt: skip
def test_other_hashes_are_refused_in_words_that_do_not_show_them(bad: str) -> None:
    told = hashes.problem(hashes.canonical(bad))
    assert told
    assert len(bad) < 20 or bad.partition("}")[2] not in told


@given(st.text())
def test_any_text_is_a_hash_or_is_refused(text: str) -> None:
    told = hashes.problem(hashes.canonical(text))
    assert told is None or told.startswith("the password") or told.startswith("a password")
    assert hashes.canonical(hashes.canonical(text)) == hashes.canonical(text)


def test_what_says_that_it_is_plain() -> None:
    assert hashes.plain("{PLAIN}a{b}c") == "a{b}c"
    assert hashes.plain("{Cleartext}x") == "x"
    assert hashes.plain("x") is None
    assert (
        hashes.looks_like_one("{X}y") and hashes.looks_like_one("$1$a") and not hashes.looks_like_one("a$1$")
    )
