"""Polls without a pause, each on a connection of its own, and what became of every one of them."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

Outcome = Literal["answered", "refused", "cut", "silent", "late"]

# A poller is patient: what is measured is whether and when it is answered.
PATIENCE = 30.0

# Seconds from the connection's beginning to the request's end, from which on a server may have given up: not it was
# slow, but the poller, which had no processor.
LATE = 0.1


@dataclass(frozen=True)
class Poll:
    began: float
    seconds: float
    outcome: Outcome
    """`cut`: the connection was made, and ended without an answer. `late`: so it was, and asked too late."""
    status: int | None = None


class Hammer:
    """A context: polls from its beginning to its end, from so many threads."""

    def __init__(self, url: str, threads: int = 2, pause: float = 0.002) -> None:
        self.place = urlsplit(url)
        self.pause = pause
        self.polls: list[Poll] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._poll_on, daemon=True) for _ in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE + 5)

    def count(self, outcome: Outcome) -> int:
        return sum(poll.outcome == outcome for poll in self.polls)

    @property
    def in_time(self) -> int:
        """Polls that a server has to answer."""
        return len(self.polls) - self.count("late")

    @property
    def statuses(self) -> set[int | None]:
        return {poll.status for poll in self.polls if poll.outcome == "answered"}

    @property
    def slowest(self) -> float:
        """Seconds."""
        return max(poll.seconds for poll in self.polls if poll.outcome == "answered")

    def __str__(self) -> str:
        counts = ", ".join(f"{self.count(name)} {name}" for name in ("answered", "refused", "cut", "silent", "late"))
        return f"{len(self.polls)} polls: {counts}; the slowest answer took {self.slowest * 1000:.0f} ms"

    def _poll_on(self) -> None:
        while not self._stop.wait(self.pause):
            began = time.monotonic()
            outcome, status = self._poll()
            self.polls.append(Poll(began, time.monotonic() - began, outcome, status))

    def _poll(self) -> tuple[Outcome, int | None]:
        connection = http.client.HTTPConnection(self.place.hostname or "", self.place.port, timeout=PATIENCE)
        began, asked = time.monotonic(), None
        try:
            connection.request("GET", self.place.path)
            asked = time.monotonic()
            answer = connection.getresponse()
            answer.read()
        except ConnectionRefusedError:
            return "refused", None
        except TimeoutError:
            return "silent", None
        except (OSError, http.client.HTTPException):
            return "late" if (asked or time.monotonic()) - began > LATE else "cut", None
        finally:
            connection.close()
        return "answered", answer.status
