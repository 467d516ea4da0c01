"""The table of providers agrees with itself; `tests/contracts/test_pi_providers.py` compares it with the real pi."""

from actors.pi.catalogue import ALIASES, KNOWN


def test_every_alias_is_of_a_known_provider_and_hides_none() -> None:
    assert set(ALIASES.values()) <= set(KNOWN)
    assert not set(ALIASES) & set(KNOWN)


def test_every_variable_is_a_name_of_the_environment() -> None:
    assert all(known.variable is None or known.variable.replace("_", "").isalpha() for known in KNOWN.values())
    assert all(known.variable is None or known.variable.isupper() for known in KNOWN.values())


def test_a_provider_that_can_be_elsewhere_takes_a_key() -> None:
    assert [name for name, known in KNOWN.items() if known.chat and known.variable is None] == []
