"""What was said in a room is found again, by whatever somebody types."""

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.messages import Found, SearchHistory
from actors.store.history import SNIPPET, expression, terms
from tests.actors.store.books import ELSEWHERE, HERE, Books


def says(books: Books, *texts: str, place: object = HERE) -> None:
    """Each is a message in a turn of its own, a second after the one before."""
    for text in texts:
        books.now += 1
        said = books.say(text, place=HERE if place is HERE else ELSEWHERE, title="Shop" if place is HERE else "Blog")
        turn = f"t{said.inbound}"
        books.end(books.begin(turn, said), turn)


def finds(books: Books, words: str, limit: int = 10, room: str = "shop") -> list[str]:
    return [each.snippet for each in books.do(SearchHistory(room=room, words=words, limit=limit))]


def test_what_was_asked_and_what_was_answered(books: Books) -> None:
    room = books.begin("t", books.say("where is the deploy key?"))
    books.now = 1010.0
    books.end(room, "t", "The deploy key is in the vault.")
    found = books.do(SearchHistory(room="shop", words="deploy key"))
    assert sorted(found, key=lambda each: each.at) == [
        Found(at=1000.0, role="user", turn="t", snippet="where is the deploy key?"),
        Found(at=1010.0, role="assistant", turn="t", snippet="The deploy key is in the vault."),
    ]


def test_all_of_the_words_and_the_last_one_also_as_a_beginning(books: Books) -> None:
    says(books, "deploy on monday", "deploy on tuesday", "deployment")
    assert finds(books, "deploy mon") == ["deploy on monday"]
    assert finds(books, "mon deploy") == []
    assert finds(books, "deploym") == ["deployment"]
    assert finds(books, "nothing") == []


def test_words_in_quotes_stand_together(books: Books) -> None:
    says(books, "red green blue", "red blue green")
    assert finds(books, '"green blue"') == ["red green blue"]
    assert finds(books, '"blue gre"') == []
    assert len(finds(books, '"red" "blue" gr')) == 2
    assert finds(books, '"green blue" red') == ["red green blue"]


def test_marks_on_letters_and_their_size_make_no_difference(books: Books) -> None:
    says(books, "Überraschung im Café")
    assert finds(books, "uberraschung CAFE") == ["Überraschung im Café"]


def test_only_of_this_room(books: Books) -> None:
    says(books, "secret of the shop")
    says(books, "secret of the blog", place=ELSEWHERE)
    assert finds(books, "secret") == ["secret of the shop"]
    assert finds(books, "secret", room="blog") == ["secret of the blog"]
    assert finds(books, "secret", room="nowhere") == []


def test_best_first_and_of_equals_the_newest(books: Books) -> None:
    says(books, "bread and milk one", "bread and milk two", "bread bread bread", "much more is said here about bread")
    assert finds(books, "bread") == [
        "bread bread bread",
        "bread and milk two",
        "bread and milk one",
        "much more is said here about bread",
    ]
    assert finds(books, "bread", limit=1) == ["bread bread bread"]
    assert finds(books, "bread", limit=0) == finds(books, "bread", limit=-1) == []


@pytest.mark.parametrize(
    ("before", "behind"),
    [("filler " * 200, " tail" * 200), ("x" * 900 + " ", "y" * 900), ("", "z" * 900), ("z" * 900 + " ", ""), ("", "")],
)
def test_a_snippet_is_short_and_has_the_words(books: Books, before: str, behind: str) -> None:
    says(books, f"{before}needle {behind}")
    (snippet,) = finds(books, "needle")
    assert "needle" in snippet
    assert len(snippet) <= SNIPPET


def test_a_snippet_is_where_most_of_the_words_are(books: Books) -> None:
    says(books, f"needle {'x ' * 300} thread {'x ' * 300} Nädle, the thréad, the needles end{' y' * 300}")
    (snippet,) = finds(books, "thread needle")
    assert "Nädle, the thréad, the needles end" in snippet
    assert snippet.startswith("…")
    assert snippet.endswith("…")


def test_a_snippet_of_what_is_short_is_all_of_it(books: Books) -> None:
    text = "a needle " + "z" * (SNIPPET - 9)
    says(books, text, text + "z")
    longer, whole = finds(books, "needle")
    assert {whole, longer} == {text, f"a needle {'z' * (SNIPPET - 10)}…"}


def test_a_snippet_is_one_line(books: Books) -> None:
    says(books, "first\n\n  needle\x02\tlast")
    assert finds(books, "needle") == ["first needle last"]


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("", ""),
        ("  \n", ""),
        ("!!! -- *", ""),
        ("one", '"one"*'),
        ("a", '"a"'),
        ("é", '"é"*'),
        ('"é"', '"é"'),
        ("one two", '"one" "two"*'),
        ('"one two"', '"one two"'),
        ('"one two" three', '"one two" "three"*'),
        ('"one two', '"one" "two"*'),
        ("one ! two", '"one" "two"*'),
        ("NEAR(a b) OR NOT x:y^ {c}", '"NEAR(a" "b)" "OR" "NOT" "x:y^" "{c}"*'),
        ("nul\x00byte", '"nul" "byte"*'),
    ],
)
def test_what_is_asked_of_the_index(words: str, asked: str) -> None:
    assert expression(terms(words)) == asked


def test_a_question_has_an_end() -> None:
    assert expression(terms("a " * 900)).count('"') == 64
    assert expression(terms("a" * 2000)) == f'"{"a" * 1000}"*'


LANGUAGE = st.lists(
    st.sampled_from(['"', "*", "(", ")", " ", "AND", "OR", "NOT", "NEAR", ":", "^", "{", "}", "-", "+", "a", "é", "\0"])
).map("".join)


@pytest.fixture(scope="module")
def index() -> apsw.Connection:
    """An index of a few words, as the store's."""
    db = apsw.Connection(":memory:")
    db.execute("CREATE VIRTUAL TABLE words USING fts5 (content, tokenize = 'unicode61 remove_diacritics 2')")
    db.execute("INSERT INTO words VALUES ('a b AND é')")
    return db


@given(words=st.text(st.characters(), max_size=60) | LANGUAGE)
def test_any_text_is_a_question(index: apsw.Connection, words: str) -> None:
    asked = expression(terms(words))
    if asked:
        list(index.execute("SELECT content FROM words WHERE words MATCH ?", (asked,)))


@given(text=st.text(st.characters(categories=["L", "N"], max_codepoint=0x24F), min_size=1, max_size=20))
def test_a_word_that_was_said_is_found(index: apsw.Connection, text: str) -> None:
    index.execute("DELETE FROM words")
    index.execute("INSERT INTO words VALUES (?)", (f"so {text} said",))
    assert index.execute("SELECT count(*) FROM words WHERE words MATCH ?", (expression(terms(text)),)).get == 1
