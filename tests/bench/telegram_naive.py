"""How most bots use a coding agent: a process for each message. For the side-by-side table, and as quick as it can be.

A program of its own: polls the Bot API at the address in argv, starts `pi --mode json --print` with the message, shows
the text as a draft when it begins, and sends it when the run is over. Speaks to the same model as the service does.
"""

import json
import ssl
import subprocess
import sys
from typing import Final

import trio
from telegram import Bot, Message
from telegram.request import HTTPXRequest

from tests.fakes.telegram import TOKEN

POLL: Final = 20


async def main(base_url: str, pi: list[str], sessions: str) -> None:
    """Polls for ever."""
    tls = {"verify": ssl.create_default_context(), "trust_env": False}
    polling, sending = (HTTPXRequest(connection_pool_size=8, httpx_kwargs=tls) for _ in range(2))
    bot = Bot(TOKEN, base_url=base_url, get_updates_request=polling, request=sending)
    await bot.get_me()
    offset = 0
    async with trio.open_nursery() as nursery:
        while True:
            for update in await bot.get_updates(offset, timeout=POLL):
                offset = update.update_id + 1
                if update.message is not None and update.message.text is not None:
                    nursery.start_soon(answer, bot, update.message, pi, sessions)


async def answer(bot: Bot, message: Message, pi: list[str], sessions: str) -> None:
    """One message, one process."""
    chat = message.chat.id
    argv = [*pi, "--session-id", f"chat-{chat}", "--session-dir", sessions, str(message.text)]
    process = await trio.lowlevel.open_process(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    text, waiting = "", b""
    assert process.stdout is not None
    async for chunk in process.stdout:
        *lines, waiting = (waiting + chunk).split(b"\n")
        for record in map(json.loads, lines):
            event = record.get("assistantMessageEvent", {})
            if event.get("type") == "text_delta":
                begins, text = not text, text + event["delta"]
                if begins:
                    await bot.send_message_draft(chat, 1, text)
            elif record["type"] == "agent_end":
                await bot.send_message(chat, text)
    await process.wait()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], json.loads(sys.argv[2]), sys.argv[3])
