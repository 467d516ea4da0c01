"""Whole journeys: the real service as a process, the real pi, a strict fake Telegram."""
