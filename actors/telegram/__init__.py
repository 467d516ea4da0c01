"""Telegram as a front end: updates come in through the gateway, deliveries and previews go out through the outbox."""

import os

# python-telegram-bot warns at each 429 unless it may give `retry_after` as a timedelta, as it will one day anyway.
os.environ.setdefault("PTB_TIMEDELTA", "true")
