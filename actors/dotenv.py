"""The `.env` format, text in and variables out: `NAME=value`, quotes, comments, `export`.

Read by `paths` (which must stay light) and so by `configuration`. It opens no file and expands no variables.
"""


class MalformedLine(ValueError):
    """A line that is no assignment. `line` counts from 1. Its text is left out: it may be a secret."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.line = line


def parse(text: str) -> dict[str, str]:
    """The variables of a `.env` text; the last assignment of a name wins. Raises MalformedLine."""
    variables = {}
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = stripped.removeprefix("export ").partition("=")
        name = name.strip()
        if not equals or not (name.isascii() and name.isidentifier()):
            raise MalformedLine(number, "expected NAME=value")
        variables[name] = _value(value.strip(), number)
    return variables


def _value(text: str, number: int) -> str:
    if text[:1] not in ("'", '"'):
        return "" if text.startswith("#") else text.split(" #", 1)[0].rstrip()
    quote, value, position = text[0], "", 1
    while position < len(text) and text[position] != quote:
        if quote == '"' and text[position] == "\\":
            position += 1
            escaped = text[position : position + 1]
            value += {"n": "\n", "t": "\t"}.get(escaped, escaped)
        else:
            value += text[position]
        position += 1
    if position >= len(text):
        raise MalformedLine(number, f"the quote {quote} is not closed")
    rest = text[position + 1 :].strip()
    if rest and not rest.startswith("#"):
        raise MalformedLine(number, "something stands behind the closing quote")
    return value
