"""The `rookery` command: reads arguments, calls an operation, prints what came out, exits.

Standard output is the product, standard error the conversation. Errors are printed in one place; a traceback
is shown with -v only.
"""

from __future__ import annotations

import os
import sys
import traceback

import click

from rookery import __version__
from rookery.cli.backup import backup
from rookery.cli.breakage import explain
from rookery.cli.cloud import cloud
from rookery.cli.cost import cost, prices
from rookery.cli.designing import init, patterns, plan, schema
from rookery.cli.diff import diff, drift
from rookery.cli.drawing import diagram
from rookery.cli.drill import drill
from rookery.cli.experiment import experiment
from rookery.cli.image import image
from rookery.cli.journaling import journal
from rookery.cli.launching import read_launch
from rookery.cli.leases import leases
from rookery.cli.load import load
from rookery.cli.mirroring import mirror
from rookery.cli.patience import start_watching
from rookery.cli.removing import down
from rookery.cli.rendering import render
from rookery.cli.restore import restore
from rookery.cli.running import open_service, shell, status, up, verify
from rookery.cli.terminal import soften_output
from rookery.cli.testing import test
from rookery.errors import ExitCode, NotPossibleError, RookeryError
from rookery.texts import one_line

# These lay files that others read: the users of Ceph, nginx, PostgreSQL, apt, those in pods. What is secret
# among them has a mode of its own, so the umask of whoever calls, which may close all of them, is not asked.
_FOR_OTHERS = frozenset(
    {
        "up",
        "status",
        "drift",
        "verify",
        "open",
        "shell",
        "load",
        "backup",
        "restore",
        "drill",
        "experiment",
        "down",
        "plan",
        "image",
        "cloud",
    }
)
_UMASK = 0o022


class _Commands(click.Group):
    """Lists commands in the order in which one uses them, not by the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self.commands)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Shell completion: `rookery completion bash`, see its help.",
)
@click.version_option(__version__, prog_name="rookery")
@click.option("-v", "--verbose", is_flag=True, help="Show where in the program an error came from.")
@click.pass_context
def cli(ctx: click.Context, *, verbose: bool) -> None:
    """A production-pattern demo system for Rook Ceph, from one short file.

    \b
    rookery up                  bring the default seven servers up and verify them
    rookery status              what runs where
    rookery shell storage-k     a shell on a server
    rookery down                take everything away, and prove it

    \b
    rookery patterns            what to start from
    rookery init my.yaml        write a spec of your own
    rookery plan my.yaml        what it is worth, before anything runs
    rookery up my.yaml
    """
    del verbose  # read where errors are shown
    if ctx.invoked_subcommand in _FOR_OTHERS:
        os.umask(_UMASK)


@click.command(short_help="Print what makes your shell complete commands.")
@click.argument("kind", type=click.Choice(["bash", "zsh", "fish"]))
def completion(kind: str) -> None:
    """Print what makes your shell complete rookery's commands, hosts and patterns.

    \b
    rookery completion bash > /etc/bash_completion.d/rookery
    rookery completion zsh > ~/.zfunc/_rookery
    rookery completion fish > ~/.config/fish/completions/rookery.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(kind)
    assert found is not None, "click knows the shells that the argument allows"
    click.echo(found(cli, {}, "rookery", "_ROOKERY_COMPLETE").source())


_RUNNING = (up, status, drift, verify, open_service, shell)
_PROVING = (load, experiment, backup, restore, drill)
_ENDING = (down, leases, journal)
_DESIGNING = (plan, diff, diagram, render, image, mirror, patterns, init, schema, cost, prices, cloud)
for command in (*_RUNNING, *_PROVING, *_ENDING, *_DESIGNING, completion, test):
    cli.add_command(command)


def main() -> None:
    """Run the command line and exit with its status."""
    soften_output()
    start_watching()
    launch = read_launch(os.environ)
    try:
        code = cli(prog_name="rookery", standalone_mode=False, obj=launch)
        sys.exit(int(code) if isinstance(code, int) else ExitCode.DONE)
    except click.exceptions.Abort:
        click.echo("stopped; what was begun can be gone on with by the same command", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.INPUT_WRONG)
    except RookeryError as error:
        if isinstance(error, NotPossibleError):
            launch.help(error)
        _show(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(ExitCode.FAILED)
    except (OSError, UnicodeEncodeError) as error:
        explained = explain(error)
        _show(explained, cause=error)
        sys.exit(explained.exit_code)


def _show(error: RookeryError, *, cause: BaseException | None = None) -> None:
    if "-v" in sys.argv or "--verbose" in sys.argv:
        traceback.print_exception(cause or error)
    # What a file says must not steer the terminal.
    said = "\n".join(map(one_line, str(error).split("\n")))
    click.echo(click.style("error: ", fg="red", bold=True) + said, err=True)


if __name__ == "__main__":
    main()
