"""What a person sees of an agent's Markdown. Whatever the agent writes, Telegram must take each part as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.telegram.render import LONGEST_MARKDOWN, MESSAGE_UNITS, Part, plain, preview, render, utf16_len
from tests.actors.telegram.markdown import SAMPLES, documents
from tests.fakes.telegram_api.rules import checked_text, entity_problem

NASTY = """# Head `x` **y**
> quote with `code` and **bold `in` it**
> > deeper
```py foo
print("``")  # 😀
```
- [ ] task *it **both** it*
  1. [`link`](http://x.y) [![image](http://a.b/c.png)](https://d.e) [file](./f.py)
| a | b |
|---|---|
| `x | y` | 2 |
~~gone~~ ||hidden|| a || b $HOME/$USER Vec<String> <b>x</b> &lt; \\[ x^2 \\]
***a** b* __init__ <https://x.y> --- ![](x) [](y) ``` ` `` 😀😀
"""


def shown(part: Part) -> list[tuple[str, str]]:
    """Kind and text of each entity."""
    units = part.text.encode("utf-16-le")
    return [(str(e.type), units[2 * e.offset : 2 * (e.offset + e.length)].decode("utf-16-le")) for e in part.entities]


def check(parts: list[Part]) -> None:
    """Each part is one that Telegram takes."""
    for part in parts:
        entities = [entity.to_dict() for entity in part.entities]
        assert entity_problem(part.text, entities) is None
        assert 1 <= utf16_len(part.text) <= MESSAGE_UNITS
        assert checked_text(part.text, entities)


# --- what it looks like -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("markdown", "text", "entities"),
    [
        ("plain", "plain", []),
        ("**b** _i_ ~~s~~", "b i s", [("bold", "b"), ("italic", "i"), ("strikethrough", "s")]),
        ("[x](https://a.b/c?d=<e>)", "x", [("text_link", "x")]),
        ("[x](./a.py)", "x", []),
        ("[`x`](https://a.b)", "x", [("text_link", "x")]),
        ("**a `c` b**", "a c b", [("bold", "a "), ("code", "c"), ("bold", " b")]),
        ("> q `c`", "q c", [("blockquote", "q c"), ("code", "c")]),
        ("- a\n- [ ] b\n- [x] c", "• a\n☐ b\n☑ c", []),
        ("Vec<String> and $A/$B and x || y || z", "Vec<String> and $A/$B and x || y || z", []),
        ("`a<b`", "a<b", [("code", "a<b")]),
        ("😀 **😀**", "😀 😀", [("bold", "😀")]),
    ],
)
def test_markdown_becomes_text_and_entities(markdown: str, text: str, entities: list[tuple[str, str]]) -> None:
    (part,) = render(markdown)
    assert (part.text, shown(part)) == (text, entities)


def test_entities_of_other_kinds_are_left_out() -> None:
    (part,) = render("[A](tg://emoji?id=5368324170671202286) ![B](tg://emoji?id=5368324170671202286)")
    assert (part.text, part.entities) == ("A B", ())


def test_a_quote_in_a_quote_is_one_quote_however_long() -> None:
    (part,) = render("> 1. > deep\n>\n> " + "long " * 60)
    assert [kind for kind, _ in shown(part)] == ["expandable_blockquote"]


def test_headings_have_no_decoration() -> None:
    (part,) = render("# One\n\ntext")
    assert part.text == "One\n\ntext"


def test_a_code_block_keeps_its_language_but_not_the_rest_of_its_info() -> None:
    (part,) = render("```py title=x\na < b\n```")
    assert (part.text, part.entities[0].language) == ("a < b", "py")


@pytest.mark.parametrize("nothing", ["", " \n\n ", "\x00", "[](http://x.y)", "\u200b", "**\u2800**", "\ufeff"])
def test_nothing_visible_is_no_part(nothing: str) -> None:
    assert render(nothing) == []


def test_half_a_surrogate_pair_and_control_characters_do_no_harm() -> None:
    (part,) = render("a\ud83d b\x1b[31m\r\nc\ud83d\ude00")
    assert part.text == "a� b[31m\nc😀"


# --- parts ------------------------------------------------------------------------------------------------------


def test_a_long_code_block_opens_again_with_its_language() -> None:
    lines = [f"print({number})" for number in range(1500)]
    parts = render("before\n\n```py\n" + "\n".join(lines) + "\n```\n\nafter **bold**")
    check(parts)
    assert len(parts) > 3
    assert {part.entities[0].language for part in parts} == {"py"}
    assert "\n".join(part.text for part in parts).split() == ["before", *lines, "after", "bold"]
    assert shown(parts[-1])[-1] == ("bold", "bold")


def test_a_part_ends_at_a_paragraph_before_a_line_before_a_word() -> None:
    assert render("a" * 3000 + "\n\n" + "b" * 500 + "\nb" + "c" * 3000)[0].text == "a" * 3000
    assert render("a" * 500 + "\n\n" + "b" * 3000 + "\n" + "c" * 3000)[1].text == "c" * 3000
    assert all(set(p.text.split()) == {"word"} for p in render("word " * 3000))
    assert [utf16_len(p.text) for p in render("😀" * 5000)] == [4096, 4096, 1808]


def test_a_link_and_short_code_are_kept_in_one_part() -> None:
    for piece, kind in (("[two words](http://x.y)", "text_link"), ("`two words`", "code")):
        for before in range(4080, 4100):
            parts = render("a" * before + " " + piece + " end")
            check(parts)
            assert [entity for part in parts for entity in shown(part)] == [(kind, "two words")]


def test_a_table_is_aligned_if_it_is_narrow_and_rows_if_it_is_wide() -> None:
    (part,) = render("| **Name** | n |\n|---|--:|\n| `a<b` | 10 |\n| c |  |\n\nafter")
    assert part.text == "Name |  n\n-----+---\na<b  | 10\nc    |\n\nafter"
    assert [kind for kind, _ in shown(part)] == ["pre"]
    (part,) = render("before\n| Name | What |\n|---|---|\n| a_b | `x` **and** " + "y" * 40 + " |\n| $1 || lost |")
    assert part.text == "before\n\nName: a_b\nWhat: x and " + "y" * 40 + "\n\nName: $1\nWhat: | lost"
    assert [kind for kind, _ in shown(part)] == ["bold", "bold", "code", "bold", "bold", "bold"]


def test_of_too_many_entities_code_and_links_stay() -> None:
    (part,) = render("**b** " * 90 + "`c` " * 60 + "[l](http://x.y) " * 30)
    kinds = [kind for kind, _ in shown(part)]
    assert (kinds.count("code"), kinds.count("text_link"), kinds.count("bold")) == (60, 30, 10)


def test_what_is_too_long_to_parse_is_shown_as_written() -> None:
    source = "**b** " * (LONGEST_MARKDOWN // 6 + 1)
    parts = render(source)
    check(parts)
    assert "".join(part.text for part in parts).replace(" ", "") == source.replace(" ", "")
    assert [part.text for part in parts] == plain(source)


@pytest.mark.parametrize(
    "source",
    [
        "1. " * 15_000 + "a",
        "> " * 20_000 + "a",
        "|" + "h" * 20_000 + "|b|\n|-|-|\n" + "|a|b|\n" * 4000,
        "|" + "h|" * 500 + "\n|" + "-|" * 500 + "\n" + "|a\n" * 10_000,
        "|\n" + "-" * 49_000 + "a",
    ],
    ids=["lists", "quotes", "a long name", "many short rows", "a long line"],
)
def test_what_would_grow_beyond_all_bounds_is_shown_as_written(source: str) -> None:
    """Parsed, each would take from seconds to minutes, in which nothing else runs."""
    parts = render(source)
    check(parts)
    assert [part.text for part in parts] == plain(source)


def test_what_the_parser_stumbles_over_is_shown_as_written(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def convert(*_: object, **__: object) -> None:
        raise IndexError

    monkeypatch.setattr("actors.telegram.render.convert", convert)
    assert render("**secret**") == [Part("**secret**")]
    assert "a text of 10 characters is shown as it was written" in caplog.text
    assert "secret" not in caplog.text


# --- whatever comes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("repeat", [1, 30])
def test_every_prefix_of_a_stream_is_valid(repeat: int) -> None:
    source = NASTY * repeat
    for end in range(0, len(source), repeat**2):
        check(render(source[:end]))


@pytest.mark.parametrize("section", SAMPLES)
def test_every_sort_of_markdown_is_valid_and_loses_no_letter(section: str) -> None:
    for document in documents(section):
        parts = render(document)
        check(parts)
        seen = [char for part in parts for char in part.text if char.isupper()]
        assert seen == [char for char in document if char.isupper()], document


@pytest.mark.parametrize("section", SAMPLES)
def test_much_of_one_sort_of_markdown_is_valid_in_parts(section: str) -> None:
    for sample in SAMPLES[section]:
        check(render(f"{sample}\n\n" * (6000 // len(sample))))


@pytest.mark.parametrize("section", SAMPLES)
def test_every_prefix_of_every_sort_of_markdown_is_valid(section: str) -> None:
    for sample in SAMPLES[section]:
        for end in range(len(sample)):
            check(render(sample[:end]))


@given(
    st.lists(st.sampled_from([document for section in SAMPLES for document in documents(section)]), max_size=30),
    st.sampled_from(["\n", "\n\n", " "]),
)
def test_any_documents_one_after_another_are_valid(texts: list[str], between: str) -> None:
    check(render(between.join(texts)))


@given(
    st.lists(
        st.sampled_from([*NASTY.split(" "), "\n", "\n\n", "```", "`", "*", "**", "> ", "[", "](http://a.b)", "||"])
    )
)
def test_any_shuffle_of_markdown_is_valid(pieces: list[str]) -> None:
    check(render("".join(pieces) * 20))


@given(st.text(st.characters(), max_size=300))
def test_any_text_is_valid(text: str) -> None:
    check(render(text))
    check([Part(piece) for piece in plain(text)])


WORDS = st.lists(st.sampled_from(["alpha", "😀", "betagamma" * 40, "x"]), min_size=1, max_size=400)
MARKS = st.sampled_from(["{}", "**{}**", "`{}`", "*{}*", "[{}](http://x.y)", "\n- {}", "\n\n{}", "\n> {}\n\n"])


@given(WORDS, st.data())
def test_no_word_is_lost_or_cut(words: list[str], data: st.DataObject) -> None:
    source = " ".join(data.draw(MARKS).format(word) for word in words)
    parts = render(source)
    check(parts)
    assert [word for part in parts for word in part.text.split() if word != "•"] == words
    assert "".join(plain(source)).replace("\n", "").replace(" ", "") == source.replace("\n", "").replace(" ", "")


# --- preview ----------------------------------------------------------------------------------------------------


def test_a_preview_is_the_answers_end_and_the_last_tools() -> None:
    assert preview("") == ""
    assert preview(" answer ") == "answer"
    assert preview("", ["run  ls\n-l"]) == "run ls -l"
    assert preview("answer", ["one", "two"]) == "answer\n\none\ntwo"
    assert preview("0123456789", limit=6) == "…56789"
    assert preview("answer", [f"tool {n}" for n in range(9)], limit=32) == "answer\n\ntool 7\ntool 8"


@given(st.text(st.characters(), max_size=400), st.lists(st.text(st.characters(), max_size=200)), st.integers(16, 200))
def test_a_preview_is_one_message(text: str, lines: list[str], limit: int) -> None:
    shown = preview(text, lines, limit=limit)
    assert utf16_len(shown) <= limit
    shown.encode()
