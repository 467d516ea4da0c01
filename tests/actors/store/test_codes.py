"""Codes: readable aloud, never the same, and understood however they are typed."""

from actors.store.codes import ALPHABET, LENGTH, new_code, normal


def test_a_code_has_no_character_that_looks_like_another() -> None:
    codes = {new_code() for _ in range(200)}
    assert len(codes) == 200
    assert all(len(code) == LENGTH == 8 and set(code) <= set(ALPHABET) for code in codes)
    assert not set("0O1IL") & set(ALPHABET)
    assert len(set(ALPHABET)) == len(ALPHABET)


def test_a_code_is_understood_however_it_is_typed() -> None:
    assert normal(" abcd-efgh\n") == normal("ABCD EFGH") == "ABCDEFGH"
