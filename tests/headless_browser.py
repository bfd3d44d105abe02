"""A headless Chromium spoken to through a pipe (the DevTools protocol), for tests of what a page shows."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_browser() -> str | None:
    """The path of a Chromium or Chrome; None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One page of the browser.

    Args:
        ask: file to write commands to.
        answers: file to read answers from.
        address: to open.
    """

    def __init__(self, ask: Any, answers: Any, address: str) -> None:
        self.ask, self.answers, self.number, self.session = ask, answers, 0, None
        target = self.call("Target.createTarget", url=address)["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command's result; events that come before it are passed over."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        self.ask.write(json.dumps(message | ({"sessionId": self.session} if self.session else {})).encode() + b"\0")
        self.ask.flush()
        while True:
            reply = json.loads(self._message())
            if reply.get("id") == self.number:
                assert "error" not in reply, reply
                return reply["result"]

    def _message(self) -> bytes:
        content = b""
        while (byte := self.answers.read(1)) != b"\0":
            assert byte, "the browser has ended"
            content += byte
        return content

    def run(self, script: str) -> Any:
        """The value of a line of JavaScript."""
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def wait_for(self, script: str, seconds: float = 150) -> Any:
        """The value of a line of JavaScript, once it is true; its last value where it never is."""
        end = time.monotonic() + seconds
        while not (value := self.run(script)) and time.monotonic() < end:
            time.sleep(0.2)
        return value

    def screenshot(self) -> bytes:
        """What can be seen, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


@contextmanager
def opened(browser: str, address: str, profile: Path, size: tuple[int, int] = (1100, 1300)) -> Iterator[Page]:
    """A page in a window of this size; the browser is ended afterwards."""
    commands, ask = os.pipe()
    answers, reply = os.pipe()
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--hide-scrollbars"]
    options += [f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}"]
    high = [fcntl.fcntl(pipe, fcntl.F_DUPFD, 10) for pipe in (commands, reply)]  # so that neither is 3 or 4 already
    quiet = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
    pipes = [(os.POSIX_SPAWN_DUP2, pipe, number) for number, pipe in enumerate(high, 3)]
    process = os.posix_spawn(browser, [browser, *options], os.environ, file_actions=[*quiet, *pipes])
    for pipe in (commands, reply, *high):
        os.close(pipe)
    try:
        with os.fdopen(ask, "wb") as to_browser, os.fdopen(answers, "rb") as from_browser:
            yield Page(to_browser, from_browser, address)
    finally:
        os.kill(process, signal.SIGTERM)
        os.waitpid(process, 0)
