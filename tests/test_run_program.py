"""How a supervised program begins: without input, and without what an earlier life of it left."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
from importlib.resources import files

import pytest

from rookery.projections.native.server import server_programs
from rookery.projections.native.supervisor_conf import render_supervisor_conf
from rookery.spec.load import pattern_names
from tests.kit.designs import design_of
from tests.kit.namespaces import APART

SCRIPT = files("rookery.systems.native") / "guest" / "run-program"

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare"), reason="it enters namespaces"
)


@pytest.mark.parametrize("name", pattern_names())
def test_every_supervised_program_starts_that_way(name: str) -> None:
    design = design_of(name)
    for host in design.hosts:
        programs = server_programs(design, host)
        config = configparser.RawConfigParser()
        config.read_string(render_supervisor_conf(programs))
        for program in programs:
            words = config[f"program:{program.name}"]["command"].split()
            assert words[:4] == [
                "/usr/lib/rookery/run-program",
                program.name,
                program.user or "root",
                program.argv[0],
            ]


def begin(text: str) -> str:
    """Run a shell's text where `start` starts a program, and return what was said; input is held open."""
    function = f'start() {{ sh {SCRIPT} "$@"; }}'
    script = f"mount -t tmpfs tmpfs /run\n{function}\n{text}"
    read, write = os.pipe()
    try:
        done = subprocess.run(
            (*APART, "sh", "-c", script),
            stdin=read,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=30,
            check=False,
        )
    finally:
        os.close(read)
        os.close(write)
    return done.stdout


@needs_root
def test_it_gets_no_input_though_its_supervisor_holds_a_pipe_open() -> None:
    assert begin("start one root sh -c 'cat; readlink /proc/self/fd/0'") == "/dev/null\n"


@needs_root
def test_what_a_killed_one_left_is_ended_before_it_starts_again() -> None:
    said = begin(
        # The first life leaves a child, in a session of its own as a daemon's worker may be.
        "start one root sh -c 'setsid sleep 1000 & echo $! > /run/left; kill -KILL $$'\n"
        "start another root sh -c 'setsid sleep 1000 & echo $! > /run/others'\n"
        'kill -0 "$(cat /run/left)" && echo alive\n'
        "start one root sh -c 'kill -0 \"$(cat /run/left)\" 2> /dev/null || echo gone'\n"
        'kill -0 "$(cat /run/others)" && echo "the other is left alone"\n'
    )
    lines = [line for line in said.splitlines() if "Killed" not in line]
    left = next(line for line in lines if line.startswith("one: "))
    assert left.startswith("one: ending what an earlier one left: ")
    assert [line for line in lines if line != left] == ["alive", "gone", "the other is left alone"]


@needs_root
def test_what_is_started_without_what_is_open_is_left_alone() -> None:
    # As Patroni starts PostgreSQL, which goes on without it until it is there again.
    python = "import subprocess as s; print(s.Popen(['sleep', '1000'], start_new_session=True).pid)"
    said = begin(
        f'start one root python3 -c "{python}" > /run/left\n'
        "start one root true\n"
        'kill -0 "$(cat /run/left)" && echo alive\n'
    )
    assert said == "alive\n"


@needs_root
def test_it_becomes_the_user_that_its_program_asks_for() -> None:
    said = begin(
        "start one nobody sh -c 'id -un; readlink /proc/self/fd/0; sleep 1000 & echo $! > /dev/stdout'"
    )
    user, fed, _ = said.splitlines()
    assert (user, fed) == ("nobody", "/dev/null")
