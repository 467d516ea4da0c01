"""A remembered secret is masked in every form in which it turns up, and nothing else is."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from actors import redaction
from actors.redaction import redact, remember


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    redaction.forget_all()
    yield
    redaction.forget_all()


def test_what_was_not_remembered_passes() -> None:
    assert redact("token 123456:AAE-x") == "token 123456:AAE-x"


def test_a_secret_is_masked_wherever_it_stands() -> None:
    remember("123456:AAE-x")
    assert redact("POST https://h/bot123456:AAE-x/getMe 123456:AAE-x") == "POST https://h/bot***/getMe ***"
    assert redact("https://h/bot123456%3AAAE-x and bot123456%3aAAE-x") == "https://h/bot*** and bot***"
    assert redact("123456:AAE") == "123456:AAE"


def test_a_secret_is_masked_as_it_stands_in_urls_and_json() -> None:
    remember('a/b "c" ü')
    for form in ('a/b "c" ü', quote('a/b "c" ü'), quote('a/b "c" ü', safe=""), 'a/b \\"c\\" ü', 'a/b \\"c\\" \\u00fc'):
        assert redact(f"<{form}>") == "<***>"


def test_a_secret_within_another_one_leaves_nothing_of_it() -> None:
    remember("sesame")
    remember("sesame-street")
    assert redact("sesame-street sesame") == "*** ***"


def test_a_short_value_is_no_secret() -> None:
    remember("12345")
    remember("")
    assert redact("12345") == "12345"
    remember("123456")
    assert redact("123456") == "***"


def test_the_oldest_is_forgotten_beyond_the_bound() -> None:
    for number in range(redaction.CAPACITY + 1):
        remember(f"secret-{number:04}")
        remember(f"secret-{number:04}")
    assert redact("secret-0000 secret-0001") == "secret-0000 ***"
