"""The union of outputs names them all, so that an agent's `match` over it misses none."""

import inspect

import msgspec

from actors.pi import outputs


def test_the_union_is_complete_and_everything_in_it_is_frozen() -> None:
    defined = {
        kind
        for _, kind in inspect.getmembers(outputs, inspect.isclass)
        if issubclass(kind, msgspec.Struct) and kind.__module__ == outputs.__name__
    }
    assert set(outputs.Output.__args__) == defined
    assert all(kind.__struct_config__.frozen for kind in defined)
