"""Progress of a plan on standard error: a line for each step that ended, and one for what is under way."""

from __future__ import annotations

import threading
import time
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from rookery.plan.step import Step


class ConsoleProgress:
    """Shows progress on a terminal as it happens; elsewhere as plain lines."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._done = 0
        self._began = time.monotonic()
        self._running: dict[str, tuple[Step, str]] = {}
        self._lock = threading.Lock()
        self._live = Live(console=console, transient=True, get_renderable=self._status, refresh_per_second=8)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def started(self, step: Step) -> None:
        with self._lock:
            self._running[step.id] = (step, "")

    def said(self, step: Step, text: str) -> None:
        with self._lock:
            self._running[step.id] = (step, text)
        if step.id == "image" and not self._console.is_terminal:
            self._console.print(f"  {text}", style="dim")

    def finished(self, step: Step, seconds: float) -> None:
        with self._lock:
            self._running.pop(step.id, None)
            self._done += 1
        line = Text.assemble(
            ("  ✓ ", "green"), f"{step.title:<52}", (f"{seconds:6.1f} s", "dim"), (f"  {step.phase}", "dim")
        )
        self._console.print(line)

    def failed(self, step: Step, error: BaseException) -> None:
        with self._lock:
            self._running.pop(step.id, None)
        self._console.print(Text.assemble(("  ✗ ", "red"), f"{step.title}: {type(error).__name__}"))

    def _status(self) -> Text:
        with self._lock:
            running = list(self._running.values())
        elapsed = time.monotonic() - self._began
        head = f"  {self._done}/{self._total}  {elapsed:4.0f} s  "
        words = [text or step.title for step, text in running]
        line = Text(head + "; ".join(words), style="dim", no_wrap=True, overflow="ellipsis")
        line.truncate(max(self._console.width - 1, 20), overflow="ellipsis")
        return line
