"""The run's text: blocks in order of their index, authoritative ends, bounds, and which text is the answer."""

from actors.pi.transcript import Transcript


def test_blocks_stand_in_the_order_of_their_index_however_their_deltas_come() -> None:
    transcript = Transcript()
    transcript.begin_message()
    for index, delta in [(2, "c"), (0, "a"), (2, "d"), (0, "b")]:
        transcript.grow(index, delta)
    assert transcript.text == "abcd"
    transcript.grow(0, "!")
    assert transcript.text == "ab!cd"


def test_the_end_replaces_what_the_deltas_said() -> None:
    transcript = Transcript()
    transcript.grow(0, "half")
    transcript.end_message("whole", is_answer=True)
    assert (transcript.text, transcript.answer) == ("whole", "whole")


def test_a_run_that_was_steered_has_all_its_answers() -> None:
    transcript = Transcript()
    transcript.end_message("thinking aloud", is_answer=False)
    transcript.end_message("first", is_answer=True)
    transcript.begin_message()
    assert (transcript.text, transcript.answer) == ("first", "first")
    transcript.grow(0, "sec")
    assert transcript.text == "first\n\nsec"  # nothing that was shown goes away
    transcript.end_message("second", is_answer=True)
    assert (transcript.text, transcript.answer) == ("first\n\nsecond", "first\n\nsecond")


def test_without_an_answer_all_texts_count() -> None:
    transcript = Transcript()
    transcript.end_message("first", is_answer=False)
    transcript.end_message("", is_answer=False)
    transcript.end_message("second", is_answer=False)
    assert transcript.answer == "first\n\nsecond"
    transcript.end_message("", is_answer=True)
    assert transcript.answer == "first\n\nsecond"
    transcript.end_message("answer", is_answer=True)
    assert transcript.answer == "answer"


def test_a_failed_call_that_is_repeated_leaves_no_text() -> None:
    transcript = Transcript()
    transcript.end_message("kept", is_answer=False)
    transcript.end_message("broken off", is_answer=False)
    transcript.drop_last()
    assert transcript.answer == "kept"


def test_it_holds_no_more_than_its_bound() -> None:
    transcript = Transcript(max_text=10)
    for _ in range(100):
        transcript.grow(0, "xxx")
    assert transcript.text == "x" * 9
    transcript.end_message("y" * 50, is_answer=True)
    assert transcript.answer == "y" * 10
    for letter in "abc":
        transcript.end_message(letter * 4, is_answer=False)
    assert transcript.answer == "bbbb\n\ncccc"
