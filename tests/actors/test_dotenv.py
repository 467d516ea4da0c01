"""What a `.env` line means, and which line is refused."""

import pytest

from actors.dotenv import MalformedLine, parse


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("  export A = b  ", "b"),
        ("A=", ""),
        ("A=b=c", "b=c"),
        ("A=b # why", "b"),
        ("A=b#c", "b#c"),
        ("A=# why", ""),
        ('A="b # c"  # why', "b # c"),
        ("A='b\\n\"c'", 'b\\n"c'),
        ('A="b\\n\\"c\\\\"', 'b\n"c\\'),
        ('A=""', ""),
        ("A=b\r", "b"),
        ("A=1\nA=2", "2"),
        ("A=\u2028", ""),
        ("A=ü\u0085ü", "ü\u0085ü"),
    ],
)
def test_an_assignment(line: str, value: str) -> None:
    assert parse(line) == {"A": value}


def test_comments_and_empty_lines_are_nothing() -> None:
    assert parse("\n# A=b\n   \n\t# c\n") == {}


@pytest.mark.parametrize("bad", ["secret", "=secret", "1A=secret", "A-B=secret", 'A="secret', "A='secret' secret"])
def test_a_malformed_line_is_named_by_its_number_and_not_by_its_text(bad: str) -> None:
    with pytest.raises(MalformedLine, match=r"^line 3: ") as caught:
        parse(f"# one\nB=2\n{bad}\n")
    assert caught.value.line == 3
    assert "secret" not in str(caught.value)
