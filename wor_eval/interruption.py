"""Ctrl-C, and being told to stop by the system: both end a command the same way, with nothing left behind."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Final

SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


@dataclass(slots=True)
class Interruption:
    """Which signal asked the command to stop, if one did.

    A library that notices a signal in the middle of its work may end with an error of its own ("Query interrupted" of
    DuckDB) in place of KeyboardInterrupt; ``number`` tells that it was one.
    """

    number: int | None = None

    @property
    def code(self) -> int:
        """The code to end with: 128 and the number of the signal, as a shell counts."""
        return 128 + (self.number or signal.SIGINT)

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Stop: what was opened is closed and removed on the way out."""
        self.number = number
        raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Let the signals that end a process raise KeyboardInterrupt, so that temporary folders are removed.

    Without this SIGTERM (``kill``, a cluster that stops a job, a closing terminal) ends Python at once and leaves the
    temporary folder of DuckDB, with data of persons where a table did not fit in memory. A signal that is ignored
    (``nohup``) stays ignored, and outside the main thread nothing changes.

    Yields
    ------
    Interruption
        Tells afterwards which signal came.

    Examples
    --------
    >>> with interruptible() as stop:
    ...     stop.number is None
    True
    """
    stop = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    usual = (signal.SIG_DFL, signal.default_int_handler)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    ours = [number for number, handler in before.items() if handler in usual]
    for number in ours:
        signal.signal(number, stop)
    try:
        yield stop
    finally:
        for number in ours:
            signal.signal(number, before[number])
