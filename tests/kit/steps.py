"""Steps, and who hears of them, for tests."""

from __future__ import annotations

import threading

from rookery.plan.step import Step


class Listener:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def _hear(self, what: str, step: Step) -> None:
        with self._lock:
            self.heard.append((what, step.id))

    def started(self, step: Step) -> None:
        self._hear("started", step)

    def said(self, step: Step, text: str) -> None:
        self._hear(text, step)

    def finished(self, step: Step, seconds: float) -> None:
        self._hear("finished", step)

    def failed(self, step: Step, error: BaseException) -> None:
        self._hear("failed", step)


def step(name: str, *needs: str, phase: str = "one") -> Step:
    return Step(id=name, phase=phase, title=f"do {name}", needs=needs)
