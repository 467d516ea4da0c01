"""Steers are heard once or given back once, whatever pi says of them."""

from hypothesis import given
from hypothesis import strategies as st

from actors.pi.steering import MOST, Steers


def steers(*texts: str) -> Steers:
    """Texts in pi's hands, as the inbounds 1, 2 and so on."""
    made = Steers()
    for inbound, text in enumerate(texts, start=1):
        made.keep(inbound)
        made.sent(inbound, text)
    return made


def test_what_the_model_was_shown_is_heard_in_order() -> None:
    some = steers("ok", "ok", "more")
    assert [some.heard(text) for text in ("ok", "strange", "ok", "ok", "more")] == [1, None, 2, None, 3]
    assert not some.waiting
    assert (some.settle([]), some.unheard) == ((), ())


def test_what_pi_gives_back_was_not_heard_and_of_equal_ones_it_is_the_later() -> None:
    some = steers("ok", "no", "ok")
    assert some.waiting
    assert some.settle(["no", "ok"]) == (1,)
    assert some.unheard == (2, 3)


def test_what_never_came_into_pis_hands_is_given_back() -> None:
    some = steers("one")
    some.keep(7)
    some.keep(1)  # pi refused it
    assert not some.waiting
    assert some.heard("one") is None
    assert (some.settle([]), some.unheard) == ((), (1, 7))


def test_a_text_that_was_changed_on_its_way_is_told_by_its_number() -> None:
    some = steers("/skill:one", "two", "/skill:three")
    assert some.settle(["<skill>three</skill>"]) == (1, 2)
    assert some.unheard == (3,)


def test_what_an_extension_had_queued_is_nobodys() -> None:
    assert steers().settle(["its own"]) == ()
    some = steers("one")
    assert some.settle(["its own", "one", "its own too"]) == ()
    assert some.unheard == (1,)


def test_there_is_a_bound() -> None:
    some = steers(*["x"] * (MOST - 1))
    assert not some.full
    some.keep(1000)
    assert some.full


@given(st.lists(st.sampled_from("ab"), max_size=8), st.data())
def test_each_is_heard_or_given_back_and_never_both(texts: list[str], data: st.DataObject) -> None:
    some = steers(*texts)
    shown = data.draw(st.integers(0, len(texts)))
    said = data.draw(st.lists(st.booleans(), min_size=shown, max_size=shown))  # an end may be too long to be read
    heard = [some.heard(text) for text, told in zip(texts[:shown], said, strict=True) if told]
    heard += some.settle(texts[shown:])
    assert sorted([*[inbound for inbound in heard if inbound is not None], *some.unheard]) == list(
        range(1, len(texts) + 1)
    )
    assert len(some.unheard) == len(texts) - shown
