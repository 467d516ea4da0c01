"""Texts and names: nothing that a person types is refused, and no name is a path."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.messages import Place
from actors.store.texts import SLUG_LIMIT, TASK_SLUG_LIMIT, TEXT_LIMIT, slug_for, slug_of_task, storable

HERE = Place("telegram", -100123, 7)


@pytest.mark.parametrize(
    ("place", "title", "slug"),
    [
        (HERE, "Web Shop: v2!", "web-shop-v2"),
        (HERE, "Café Ünïcode", "cafe-unicode"),
        (HERE, "../../etc/passwd", "etc-passwd"),
        (HERE, "...", "topic-100123-7"),
        (HERE, "Магазин", "topic-100123-7"),
        (Place("telegram", 42), "", "chat-42"),
        (Place("console", 0), "My Terminal", "console"),
        (HERE, "a" * 40, "a" * 32),
        (HERE, "a" * 31 + " bc", "a" * 31),
    ],
)
def test_slug(place: Place, title: str, slug: str) -> None:
    assert slug_for(place, title, set()) == slug


def test_slug_counts_on_from_two() -> None:
    taken: set[str] = set()
    for _ in range(11):
        taken.add(slug_for(HERE, "x" * 40, taken))
    assert taken == {"x" * 32, *(f"{'x' * 30}-{n}" for n in range(2, 10)), f"{'x' * 29}-10", f"{'x' * 29}-11"}


@given(title=st.text(), taken=st.sets(st.text("ab-2", max_size=4)))
def test_slug_is_a_new_plain_word(title: str, taken: set[str]) -> None:
    slug = slug_for(HERE, title, taken)
    assert slug not in taken
    assert len(slug) <= SLUG_LIMIT
    assert re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", slug)


@pytest.mark.parametrize(
    ("task", "slug"),
    [
        ("Fix the login", "fix-login"),
        ("Rename the columns of the table", "rename-columns-of-table"),
        ("Fix the tests of the shop right now", "fix-tests-of-shop-right"),
        ("Look into the odd case of our shop", "look-into-odd-case"),
        ("write: a.txt one", "write-a-txt-one"),
        ("Could you please", "could-you-please"),
        ("exactly twenty four chars", "exactly-twenty-four"),
        ("abcdefghijkl mnopqrstuvw x", "abcdefghijkl-mnopqrstuvw"),
        ("Überprüfe `main.py`!", "uberprufe-main-py"),
        ("x" * 40, "x" * 24),
        ("…", "agent"),
        ("", "agent"),
        ("." * 2000 + "late", "agent"),
    ],
)
def test_a_task_gives_its_first_words(task: str, slug: str) -> None:
    assert slug_of_task(task, ()) == slug


@given(task=st.text() | st.text("ab- ", min_size=20), taken=st.sets(st.text("ab-2", max_size=4) | st.just("agent")))
def test_a_tasks_slug_is_a_new_plain_word(task: str, taken: set[str]) -> None:
    slug = slug_of_task(task, taken)
    assert slug not in taken
    assert len(slug) <= TASK_SLUG_LIMIT
    assert re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", slug)


def test_a_text_is_kept_whole_up_to_the_limit() -> None:
    text = "é" * (TEXT_LIMIT // 2)
    assert storable(text) == text


def test_a_longer_text_is_cut_between_characters_with_a_word() -> None:
    kept = storable("x" + "é" * (TEXT_LIMIT // 2))
    assert kept.startswith("xéé")
    assert kept.endswith("é\n\n[cut here: 1 bytes more were too long to keep]")


def test_half_a_surrogate_becomes_a_question_mark() -> None:
    assert storable("a\ud800b") == "a?b"
