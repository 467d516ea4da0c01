"""Which providers a pi folder can talk to, by name only."""

from pathlib import Path

import pytest

from actors.errors import ConfigurationError
from actors.pi.logins import logins


def test_a_folder_without_files_has_none(tmp_path: Path) -> None:
    assert logins(tmp_path / "none", ours=False) == frozenset()


def test_logins_and_the_users_own_providers_count(tmp_path: Path) -> None:
    (tmp_path / "auth.json").write_text('{"anthropic": {"type": "oauth", "access": "sesame"}}')
    (tmp_path / "models.json").write_text(
        '{\n  // my own\n  "providers": {"ollama": {"baseUrl": "http://h/v1", "apiKey": "a\\"//b", },},\n}'
    )
    assert logins(tmp_path, ours=False) == {"anthropic", "ollama"}
    # What stands in our own models.json we have put there.
    assert logins(tmp_path, ours=True) == {"anthropic"}


@pytest.mark.parametrize("content", ["", "[1]", "{sesame", '{"a": }'])
def test_a_broken_file_is_named_and_not_shown(tmp_path: Path, content: str) -> None:
    (tmp_path / "auth.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"auth\.json is not the JSON that pi writes") as caught:
        logins(tmp_path, ours=True)
    assert "sesame" not in str(caught.value)
