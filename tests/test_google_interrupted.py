"""A system on Google, whatever call of its making and of its removal goes wrong; and commands on it."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from rookery.cli.leases import leases
from rookery.cli.removing import down
from rookery.run.clouds import connect
from tests.kit.cloud_systems import bring_up
from tests.kit.google_cloud.serving import served
from tests.kit.google_cloud.state import PROJECT, Fault, Project
from tests.kit.google_systems import (
    SMALL,
    counted,
    google_design,
    google_servers,
    quiet,
    removal_of,
)
from tests.kit.memory_cloud import Killed

# --- Interrupted anywhere


def cycle(up: dict[int, Fault], again: dict[int, Fault], down: dict[int, Fault], *, slow: int) -> None:
    """Bring a system up and take it down, interrupted; it is there once, then there is nothing."""
    project, design = Project(slow=slow, controlled="demo"), google_design(hosts=SMALL)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for faults in (up, again):
            project.revive(faults)
            with contextlib.suppress(Killed):
                bring_up(google_servers(design, project, folder))
        project.revive()
        servers = google_servers(design, project, folder)
        bring_up(servers)
        found = counted(project)
        assert (found["instances"], found["disks"], found["networks"]) == (5, 5 + 6 + 1, 1)
        assert (found["forwardingRules"], found["backendServices"], found["addresses"]) == (3, 2, 1)
        assert set(servers.facts()) == {step.id for step in servers.steps()}
        project.revive(down)
        with contextlib.suppress(Killed):
            removal_of(servers, design, project).take_down(quiet)
        project.revive()
        removal = removal_of(servers, design, project)
        removal.take_down(quiet)
        assert removal.leftovers() == ()
    assert project.things == {}
    assert project.wrong == []


_FAULTS = st.sampled_from(Fault)


@settings(max_examples=12, deadline=None)
@given(
    killed_at=st.integers(0, 125),
    up=st.dictionaries(st.integers(0, 125), _FAULTS, max_size=4),
    down=st.dictionaries(st.integers(0, 85), _FAULTS, max_size=4),
    slow=st.sampled_from([0, 1, 5, 20]),
)
def test_whatever_call_goes_wrong_nothing_is_made_twice_and_nothing_is_left(
    killed_at: int, up: dict[int, Fault], down: dict[int, Fault], slow: int
) -> None:
    cycle({killed_at: Fault.KILLED_AFTER}, up, down, slow=slow)


# --- Commands


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of its own, from which nothing leads to a cloud."""
    for name in tuple(os.environ):
        if name.startswith(("HCLOUD_", "GOOGLE_", "GCP_", "CLOUDSDK_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def test_any_machine_lists_and_ends_a_system_by_the_environment_alone(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, design = Project(token="ya29.hidden"), google_design(hosts=SMALL)
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", project.token)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
    with served(project) as endpoint:
        monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", f"{endpoint}/compute/v1/")
        bring_up(google_servers(design, project, own, cloud=connect("gcp"), until="20201130t203000z"))
        said = CliRunner().invoke(leases, ["--output", "json"], standalone_mode=False)
        (lease,) = json.loads(said.output)
        assert (lease["name"], lease["provider"], lease["unpriced"]) == ("demo", "gcp", [])
        assert float(lease["hourly"]) > 0.3
        removed = CliRunner().invoke(down, ["--expired"], standalone_mode=False)
        assert (removed.exception, project.things) == (None, {})
    assert "hidden" not in said.output + removed.output
    assert project.wrong == []
