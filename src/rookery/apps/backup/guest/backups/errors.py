"""What goes wrong, in words for whoever asked."""

from __future__ import annotations


class BackupError(Exception):
    """Something that cannot be done: `what` in one sentence, `hint` what to do, `details` what a tool said.

    `kind` is what a command's exit status tells a script: `failed`, `input` (what was asked for is wrong,
    nothing was changed), `not-possible` (it cannot be done here, or now).
    """

    def __init__(
        self, what: str, *, hint: str = "", details: tuple[str, ...] = (), kind: str = "failed"
    ) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.details = details
        self.kind = kind
