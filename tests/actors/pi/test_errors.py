"""Errors say what is wrong, with the mend, and carry their fields."""

from actors.pi.errors import LaunchFailed, PiError, ProcessGone, ProcessStuck, TooManyPending


def test_sentences_and_fields() -> None:
    failed = LaunchFailed("/opt/pi", "there is no such file; run `make`")
    assert str(failed) == "cannot start /opt/pi: there is no such file; run `make`"
    assert (failed.what, failed.why) == ("/opt/pi", "there is no such file; run `make`")
    assert ProcessGone(7).pid == ProcessStuck(7).pid == 7
    assert TooManyPending(64).limit == 64
    assert all(issubclass(kind, PiError) for kind in (LaunchFailed, ProcessGone, ProcessStuck, TooManyPending))
