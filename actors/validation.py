"""From what a TOML table or a variable says to the typed settings; every refusal is one sentence with the mend.

Used by `configuration`. Pure: it opens nothing. What is secret is never part of a sentence.
"""

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from actors.errors import ConfigurationError
from actors.settings import SECTIONS, ProjectSettings, Secret, Section

S = TypeVar("S", bound=Section)

_SHOWN_CHARS = 60
_NEAR = 0.55  # of difflib: `maks` is near to `max`


def section(kind: type[S], table: object, *, file: Path, name: str) -> S:
    """The table `[name]` of `file` as `kind`; relative paths in it start at the file's folder.

    Raises ConfigurationError for an unknown key, a missing one, a wrong type, a value out of bounds.
    """
    if not isinstance(table, dict):
        raise ConfigurationError(f"{file}: {name} must be a table, written as [{name}].")
    known = {field.name: field for field in msgspec.structs.fields(kind)}
    for key in table:
        if key not in known:
            raise ConfigurationError(f"{file}: [{name}] has no key {_word(key)}; {_nearest_key(key, name, known)}.")
    values = {
        key: value(known[key].type, given, label=f"{file}: [{name}] {key}", folder=file.parent)
        for key, given in table.items()
    }
    for key, field in known.items():
        if field.required and key not in values:
            raise ConfigurationError(f"{file}: [{name}] needs the key {key}.")
    return kind(**values)


def project(name: str, table: object, *, file: Path) -> ProjectSettings:
    """The table `[projects.<name>]` of `file`. Raises ConfigurationError as `section` does, and for a bad name."""
    if not 0 < len(name) <= 32 or not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
        raise ConfigurationError(
            f"{file}: [projects.{_word(name)}] needs a name of at most 32 letters, digits and hyphens."
        )
    return section(ProjectSettings, table, file=file, name=f"projects.{name}")


def unknown_table(key: str, given: object, *, file: Path) -> ConfigurationError:
    """What to say of a top-level key that is no section of ours."""
    homes = [name for name, kind in SECTIONS.items() if key in kind.__struct_fields__]
    if homes and not isinstance(given, dict):
        return ConfigurationError(f"{file}: {key} stands outside its table; put it under [{homes[0]}].")
    return ConfigurationError(f"{file}: there is no table [{_word(key)}]; {suggest(key, [*SECTIONS, 'projects'])}.")


def value(kind: object, given: object, *, label: str, folder: Path) -> object:
    """`given`, from TOML, as `kind`. `label` opens the sentence of the ConfigurationError that is raised otherwise."""
    return _convert(kind, given, label, folder, strict=True)


def text_value(kind: object, text: str, *, label: str, folder: Path) -> object:
    """The same for a variable's text; a set is separated by commas or blanks."""
    given: object = text.strip()
    if any(isinstance(info, inspect.FrozenSetType) for info in _alternatives(inspect.type_info(kind))):
        given = text.replace(",", " ").split()
    return _convert(kind, given, label, folder, strict=False)


def suggest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the nearest right one, or all there are."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=_NEAR)
    return f"the nearest one is {near[0]}" if near else f"there are: {', '.join(names)}"


def expected(kind: object) -> str:
    """What a value of this type is, in words: `a whole number from 1 to 1000`."""
    return " or ".join(map(_words, _alternatives(inspect.type_info(kind))))


def _convert(kind: Any, given: object, label: str, folder: Path, *, strict: bool) -> object:
    def custom(target: type, text: object) -> object:
        if not isinstance(text, str) or not text.strip() or "\0" in text:
            raise ValueError
        if target is Secret:
            (word,) = text.split()  # blanks around it come of copying; within it, it is something else
            return Secret(word)
        return Path(os.path.normpath(folder / os.path.expanduser(text)))

    try:
        return msgspec.convert(given, kind, strict=strict, dec_hook=custom)
    except msgspec.ValidationError:
        stands = _kind_of(given) if _is_secret(kind) else _shown(given)
        raise ConfigurationError(f"{label} must be {expected(kind)}, and {stands} stands there.") from None


def _nearest_key(key: str, name: str, known: Mapping[str, object]) -> str:
    if not difflib.get_close_matches(key, known, n=1, cutoff=_NEAR):
        homes = [home for home, kind in SECTIONS.items() if key in kind.__struct_fields__ and home != name]
        if homes:
            return f"it belongs to [{homes[0]}]"
    return suggest(key, known)


def _alternatives(info: inspect.Type) -> list[inspect.Type]:
    types = info.types if isinstance(info, inspect.UnionType) else (info,)
    return [each for each in types if not isinstance(each, inspect.NoneType)]


def _words(info: inspect.Type) -> str:
    match info:
        case inspect.Metadata(extra_json_schema={"description": str(description)}):
            return description
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "a whole number" + _bounds(info)
        case inspect.FloatType():
            return "a number" + _bounds(info)
        case inspect.LiteralType(values=values):
            return "one of " * (len(values) > 1) + ", ".join(f'"{each}"' for each in values)
        case inspect.FrozenSetType(item_type=item):
            return f"a list, each item {_words(item)}"
        case inspect.CustomType(cls=cls):
            return "a path" if cls is Path else "a text without blanks"
        case _:
            return "a text"


def _bounds(info: inspect.IntType | inspect.FloatType) -> str:
    if info.ge is not None and info.le is not None:
        return f" from {info.ge:g} to {info.le:g}"
    if info.gt is not None and info.le is not None:
        return f" above {info.gt:g} and at most {info.le:.0f}"
    return ""


def _is_secret(kind: object) -> bool:
    return any(
        isinstance(info, inspect.CustomType) and info.cls is Secret for info in _alternatives(inspect.type_info(kind))
    )


def _word(key: str) -> str:
    """A name from outside as it may stand in a sentence: on one line, and not without end."""
    return key[:_SHOWN_CHARS] if key.isprintable() else ascii(key[:_SHOWN_CHARS])


def _shown(given: object) -> str:
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, float) or (isinstance(given, int) and abs(given) < 1e15):
        return str(given)
    if isinstance(given, str) and given.strip() and given.isprintable():
        return f'"{given}"' if len(given) <= _SHOWN_CHARS else f'"{given[:_SHOWN_CHARS]}…"'
    return _kind_of(given)


def _kind_of(given: object) -> str:
    match given:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text" if given.strip() else "an empty text"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or time"
