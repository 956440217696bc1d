"""The command that shows the key to the backup of the system itself, and what asks for a passphrase."""

from __future__ import annotations

from pathlib import Path

import click

from rookery.cli.options import system_option
from rookery.errors import ExitCode, InputError

_FOR = """\
# It reads the backup of the system itself: all that {name} was built from, its secrets among it. Where
# nothing of the system is left, it is built again from a copy outside and this key. Keep it elsewhere, on
# paper or in a vault: who has it and a copy has every key of the system.
# recipient: {recipient}"""

passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The passphrase is the first line of this file; it is asked for otherwise.",
)


@click.command("key")
@system_option
@click.option("--protect", is_flag=True, help="Encrypt it by a passphrase, as `age -p` does.")
@passphrase_option
def backup_key(*, system: str | None, protect: bool, passphrase_file: Path | None) -> int:
    """Print the key that reads the backup of the system itself, to be kept elsewhere.

    Encrypted by a passphrase, it may lie beside the copies: `age -d -i FILE` and `rookery restore system
    --identity FILE` ask for the passphrase then.

    \b
    rookery backup key > key.txt
    rookery backup key --protect > key.age
    rookery backup key --passphrase-file words.txt > key.age
    """
    from rookery.drivers.clients.age import lock_key
    from rookery.run.system_part import key_of
    from rookery.run.systems import opened

    with opened(system) as running:
        name, found = running.design.name, key_of(running.system)
    if not found.key:
        raise InputError(
            f"the key to {name}'s own backup is not here: its spec names who can read it",
            hint=f"Recipients: {', '.join(found.recipients)}.",
        )
    if protect or passphrase_file is not None:
        passphrase = read_passphrase(passphrase_file, "Passphrase of the key", confirm=True)
        click.echo(lock_key(found.key, passphrase), nl=False)
        return ExitCode.DONE
    click.echo(_FOR.format(name=name, recipient=", ".join(found.recipients)))
    click.echo(found.key)
    return ExitCode.DONE


def read_passphrase(file: Path | None, question: str, *, confirm: bool = False) -> str:
    """Return a passphrase from a file's first line or from who sits here; raises InputError for none."""
    if file is None:
        found = click.prompt(question, hide_input=True, confirmation_prompt=confirm, err=True)
    else:
        found = file.read_text(encoding="utf-8").partition("\n")[0]
    if not found:
        raise InputError("the passphrase is empty", hint=f"It is the first line of {file}.")
    return str(found)
