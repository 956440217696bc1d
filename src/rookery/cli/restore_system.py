"""What `rookery restore system` does: reads what is kept of a system itself, or lays it for a new `up`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from rookery.cli.backup_key import read_passphrase
from rookery.cli.journaling import Keeping, recorded
from rookery.errors import ExitCode, InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The options that only the system itself has: the copy's address, files with key and passphrase, and
    where to write."""

    url: str | None
    identity: Path | None
    passphrase_file: Path | None
    into: Path | None


def system_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of `Given`."""
    file = click.Path(path_type=Path, exists=True, dir_okay=False)
    options = (
        click.option("--from", "url", metavar="URL", help="With system: a copy outside, ENDPOINT/BUCKET."),
        click.option("--identity", type=file, help="With system: the file with the key (`backup key`)."),
        click.option("--passphrase-file", type=file, help="With system: the key's passphrase, first line."),
        click.option(
            "--into",
            type=click.Path(path_type=Path),
            help="With system: the folder to write to; with --from, the file of the spec.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def restore_system(given: Given, at: str, system: str | None, keeping: Keeping) -> int:
    """Lay out what is kept of a system; from a copy outside, so that `rookery up` builds it again."""
    return _rebuild(given, at, keeping) if given.url else _lay_out(given, at, system, keeping)


def _rebuild(given: Given, at: str, keeping: Keeping) -> int:
    from rookery.run.rebuild import find_copied_set, open_copy, rebuild

    if given.identity is None:
        raise InputError(
            "the key is on the machine that is lost", hint="Name a file that has it by --identity."
        )
    copy = open_copy(str(given.url), os.environ)
    found = find_copied_set(copy, at)
    keys = read_keys(given.identity, given.passphrase_file)
    name = str(found["system"])
    with recorded(keeping, system=name, digest="") as record:
        done = rebuild(copy, found, keys, given.into or Path(f"{name}.yaml"))
        record.did = f"{name} laid from set {done.label} in {copy}, to be built again"
        record.ends(ExitCode.DONE, "laid")
    click.echo(
        f"{name}, as of set {done.label}. Build it again, and bring back what it had:\n"
        f"  rookery up {done.spec}\n"
        f"  rookery backup fetch --system {name}\n"
        f"  rookery restore database --to in-place --system {name}\n"
        "  and so on with the other kinds that `rookery backup list` shows"
    )
    return ExitCode.DONE


def _lay_out(given: Given, at: str, system: str | None, keeping: Keeping) -> int:
    from rookery.cli.about import about
    from rookery.run.backup import find_set, list_sets
    from rookery.run.system_part import key_of, lay_out, part_of

    with about(system, keeping) as (running, record):
        name = running.design.name
        sets = [one for one in list_sets(running) if part_of(one)]
        if not (at or sets):
            raise InputError(
                f"no set of {name} has the system itself yet", hint="`rookery backup now` takes one."
            )
        found = find_set(running, at) if at else sets[-1]
        own = key_of(running).key
        if given.identity is None and not own:
            raise InputError(f"the key to {name}'s own backup is not here", hint="Name it by --identity.")
        keys = (own,) if given.identity is None else read_keys(given.identity, given.passphrase_file)
        folder = given.into or Path(f"{name}-system-{found.label}")
        files = lay_out(running, found, keys, folder)
        record.did = f"what set {found.label} has of {name} itself written to {folder}"
        record.ends(ExitCode.DONE, f"{len(files)} files")
    click.echo(f"{len(files)} files in {folder}, its owner's alone: secrets are among them")
    return ExitCode.DONE


def read_keys(file: Path, passphrase_file: Path | None) -> Sequence[str]:
    """Return the keys in a file, by its passphrase where it has one."""
    from rookery.run.system_part import read_key_file, wants_passphrase

    passphrase = read_passphrase(passphrase_file, f"Passphrase of {file}") if wants_passphrase(file) else ""
    return read_key_file(file, passphrase)
