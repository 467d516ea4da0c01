"""Hypothesis state machines: long random lives of the pure parts and of the mailbox."""
