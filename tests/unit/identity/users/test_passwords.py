"""What is accepted as a password, and how one is checked."""

from __future__ import annotations

import asyncio
import threading

import pytest
from argon2 import PasswordHasher, extract_parameters

from openwatch.identity.users import passwords
from openwatch.kit.errors import OpenWatchError

SENTENCE = "eleven blue bicycles in the rain"


def _refusal(password: str, username: str = "grace") -> str | None:
    try:
        passwords.check_policy(password, username=username)
    except OpenWatchError as error:
        is_shown = bool(password) and password in error.message
        return "the password is shown" if is_shown else f"{error.params['field']}: {error.code}"
    return None


@pytest.mark.ac("identity-09")
@pytest.mark.parametrize(
    ("password", "code"),
    [
        (SENTENCE, None),
        ("x" * 12, None),
        ("x" * 11, "password: password.too_short"),
        ("", "password: password.too_short"),
        ("ünïcödé-äöü!", None),
        ("e\u0301" * 11, "password: password.too_short"),  # twenty-two code points, eleven letters
        ("x" * 1024, None),
        ("x" * 1025, "password: password.too_long"),
        ("€" * 342, "password: password.too_long"),
        ("only\ud800half a letter", "password: password.unreadable"),
    ],
)
def test_length_decides(password: str, code: str | None) -> None:
    assert _refusal(password) == code


@pytest.mark.ac("identity-09")
def test_the_user_name_is_no_password() -> None:
    assert _refusal(" Grace.Hopper@Navy ", "grace.hopper@navy") == "password: password.is_username"


@pytest.mark.ac("identity-02")
async def test_a_hash_is_argon2id_with_the_parameters_of_rfc_9106() -> None:
    parameters = extract_parameters(await passwords.hash_password(SENTENCE))
    assert parameters.type.name == "ID"
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (65536, 3, 4)


async def test_the_right_password_fits_and_no_other() -> None:
    stored = await passwords.hash_password(SENTENCE)
    assert (await passwords.check_password(SENTENCE, stored)).matches
    for wrong in ("", SENTENCE + " ", SENTENCE.upper(), "x" * 2000, "\ud800"):
        assert not (await passwords.check_password(wrong, stored)).matches


async def test_one_password_typed_on_two_keyboards_is_the_same() -> None:
    stored = await passwords.hash_password("cr\u00e8me br\u00fbl\u00e9e au caf\u00e9")
    typed = "cre\u0300me bru\u0302le\u0301e au cafe\u0301"
    assert (await passwords.check_password(typed, stored)).matches


@pytest.mark.ac("identity-03")
async def test_nobody_has_the_decoy_and_it_costs_as_much_as_a_real_hash() -> None:
    assert extract_parameters(passwords.decoy_hash()) == extract_parameters(
        await passwords.hash_password(SENTENCE)
    )
    for guess in ("no password", "", SENTENCE):
        assert not (await passwords.check_password(guess, None)).matches


@pytest.mark.parametrize("stored", ["", "x", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv"])
async def test_a_damaged_hash_fits_nobody(stored: str) -> None:
    assert not (await passwords.check_password(SENTENCE, stored)).matches


@pytest.mark.ac("identity-02")
async def test_an_outdated_hash_is_made_anew_only_for_the_right_password() -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(SENTENCE)
    checked = await passwords.check_password(SENTENCE, weak)
    assert checked.matches
    assert checked.upgraded_hash is not None
    assert not (await passwords.check_password(SENTENCE, checked.upgraded_hash)).upgraded_hash
    assert (await passwords.check_password("wrong" * 3, weak)).upgraded_hash is None


async def test_a_flood_is_refused_and_the_event_loop_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()
    # A computation that held up the event loop would wait to the end, and say "False".
    monkeypatch.setattr(passwords, "_hash", lambda _: str(release.wait(60)))
    most = passwords.COMPUTATIONS_AT_ONCE + passwords.COMPUTATIONS_QUEUED
    admitted = [asyncio.create_task(passwords.hash_password("x")) for _ in range(most)]
    await asyncio.sleep(0.05)
    with pytest.raises(OpenWatchError) as caught:
        await passwords.hash_password("x")
    assert caught.value.code == "auth.busy"
    release.set()
    assert set(await asyncio.gather(*admitted)) == {"True"}
    assert await passwords.hash_password("x") == "True"
