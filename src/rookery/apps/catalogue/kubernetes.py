"""The catalogue on Kubernetes: the same service in pods, and a Job that installs its schema.

The Job is two programs: one of ours reads what streaming published and writes the SQL, and PostgreSQL's own
psql runs it, as the installer of the database.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from rookery.apps.app import InPods
from rookery.apps.catalogue.config import API_PORT, DATABASE, PROGRAMS, ApiPlace, programs, render_config
from rookery.apps.catalogue.settings import CatalogueSettings
from rookery.apps.database.clients import PODS, PORT, installer, reads, secret_name, writes
from rookery.apps.database.patroni import VERSION
from rookery.apps.ground.names import NAMESPACE, PART_OF, S3_HOST, service_names, tls_secret
from rookery.apps.ground.pods import (
    certificate,
    container,
    count,
    deployment,
    disruption_budget,
    done,
    job,
    labels,
    leaving,
    pod,
    rolled_out,
    secret_variable,
    service,
    sized,
)
from rookery.apps.ground.policies import GATEWAYS, Peer, instances, network_policy
from rookery.apps.sizes import API, SCHEMA
from rookery.apps.streaming.instances import MEDIA_BUCKET
from rookery.apps.streaming.media import INDEX
from rookery.apps.streaming.settings import StreamingSettings
from rookery.design.model import AppDesign, Design
from rookery.files import File, packaged
from rookery.manifest import Item, Manifest, Objects, Wait, common_labels, manifest
from rookery.versions import POSTGRES_IMAGE

_NAME = "catalogue-api"
_SCHEMA_LABELS = common_labels("catalogue", component="schema", part_of=PART_OF)
_SCHEMA = "usr/lib/rookery/schema"
_CONFIG, _TLS, _PASSWORD = "/etc/rookery/catalogue", "/etc/rookery/tls", "/etc/rookery/password"
_SCRIPT = "/work/catalogue.sql"
# Seconds in which whoever balances learns that a pod takes no new requests, before it is told to end.
_LEAVING = 5


def catalogue_items(design: Design, app: AppDesign, image: str) -> tuple[Item, ...]:
    """Return the policies, the schema's Job and the service, in the order in which they are applied."""
    _, instance = app.placements[0]
    pod_labels = labels(instance)
    schema = _schema_job(design, app, image)
    return (
        _policies(pod_labels),
        Objects(
            name="certificate",
            why="For the names of the Service; edges verify it.",
            objects=(certificate(_NAME, pod_labels, names=service_names(_NAME)),),
        ),
        Wait(kind="certificate", name=_NAME, condition="condition=Ready", seconds=180, namespace=NAMESPACE),
        Objects(
            name="schema",
            why="Installs the tables, the rights and the first rows, and may do so again at any time. Titles "
            "are those that streaming published.",
            objects=(schema,),
        ),
        done(schema, 900),
        Objects(
            name="api",
            why="The HTTP API. It starts without the database and says so; its pods share no host.",
            objects=_api(design, app, image),
        ),
        rolled_out(_NAME),
    )


def image_files() -> tuple[File, ...]:
    """Return what our image holds of the catalogue: the service, and the schema's program."""
    return (*programs(), *schema_files())


def schema_files() -> tuple[File, ...]:
    """Return what the Job needs in our image: its program, and the modules of ours that it imports."""
    package = files("rookery")
    parts = (
        ("", ("__init__.py", "errors.py")),
        ("apps", ("__init__.py", "serving.py")),
        ("apps/catalogue", ("__init__.py", "installation.py", "quoting.py", "schema.py", "seed.py")),
        ("apps/streaming", ("__init__.py", "media.py")),
    )
    found = packaged(package / "apps" / "catalogue" / "guest", _SCHEMA, names=("render_schema.py",))
    for folder, names in parts:
        where = f"{_SCHEMA}/rookery/{folder}".rstrip("/")
        found += packaged(package.joinpath(*folder.split("/")), where, names=names)
    return found


def _policies(pod_labels: dict[str, str]) -> Objects:
    postgres = Peer(labels=tuple(PODS.items()), ports=(PORT,))
    return Objects(
        name="network-policies",
        why="Edges ask the API, the API asks PostgreSQL; the schema's Job also reads the index of films.",
        objects=(
            network_policy(
                _NAME, pod_labels, incoming=[instances("cdn", "edge", API_PORT)], outgoing=[postgres]
            ),
            network_policy("catalogue-schema", _SCHEMA_LABELS, outgoing=[GATEWAYS, postgres]),
        ),
    )


def _schema_job(design: Design, app: AppDesign, image: str) -> Manifest:
    """Return the Job that installs the schema: another one where other titles are published."""
    assert isinstance(app.settings, CatalogueSettings)
    options = {
        "index": f"https://{S3_HOST}/{MEDIA_BUCKET}/{INDEX}",
        "ca": f"{_TLS}/ca.crt",
        "owner": DATABASE.owner,
        "user": DATABASE.user,
        "viewers": str(app.settings.viewers),
        "plays": str(app.settings.plays),
        "out": _SCRIPT,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    mounts = [{"name": "work", "mountPath": "/work"}, {"name": "tls", "mountPath": _TLS, "readOnly": True}]
    size = sized(SCHEMA)
    render = container(
        "render",
        image,
        ["/usr/bin/python3", f"/{_SCHEMA}/render_schema.py", *words],
        size=size,
        env=[{"name": "PYTHONDONTWRITEBYTECODE", "value": "1"}],
        volumeMounts=mounts,
    )
    install = container(
        "install", POSTGRES_IMAGE, _PSQL, size=size, env=_psql_environment(), volumeMounts=mounts
    )
    specification = pod(
        [install],
        before=[render],
        volumes=[{"name": "work", "emptyDir": {"sizeLimit": "16Mi"}}, _authority()],
    )
    return job("catalogue-schema", _SCHEMA_LABELS, specification, read=_published(design))


def _published(design: Design) -> list[Manifest]:
    """Return what the index of films depends on beside our image: a folder of the user's, where one is given.

    The API does not know a title that was published after the schema's Job ran.
    """
    streaming = next((one.settings for one in design.apps if one.name == "streaming"), None)
    given = isinstance(streaming, StreamingSettings) and streaming.media is not None
    return [{"films": "given"}] if given else []


# A script that fails in the middle has done nothing. It is psql itself: what Debian has in its place asks for
# the user's clusters first, and the user of a pod has no name.
_PSQL = (
    f"/usr/lib/postgresql/{VERSION}/bin/psql",
    "--no-psqlrc",
    "--quiet",
    "--set=ON_ERROR_STOP=1",
    "--single-transaction",
    f"--file={_SCRIPT}",
)


def _psql_environment() -> list[dict[str, Any]]:
    user = installer(DATABASE)
    plain = {
        "PGHOST": writes(),
        "PGPORT": str(PORT),
        "PGDATABASE": DATABASE.name,
        "PGUSER": user,
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": f"{_TLS}/ca.crt",
        "PGCONNECT_TIMEOUT": "10",
        # A primary that was demoted a moment ago is none to install into.
        "PGTARGETSESSIONATTRS": "read-write",
        "HOME": "/work",
    }
    found: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in plain.items()]
    return [*found, secret_variable("PGPASSWORD", secret_name(user), "password")]


def _authority() -> dict[str, Any]:
    items = [{"key": "ca.crt", "path": "ca.crt"}]
    return {"name": "tls", "secret": {"secretName": tls_secret(_NAME), "items": items}}


def _api(design: Design, app: AppDesign, image: str) -> tuple[Manifest, ...]:
    _, instance = app.placements[0]
    pod_labels = labels(instance)
    place = ApiPlace(
        address="0.0.0.0",  # noqa: S104 - a pod's own network; policies say who may come
        certificate=f"{_TLS}/tls.crt",
        key=f"{_TLS}/tls.key",
        authority=f"{_TLS}/ca.crt",
        password=f"{_PASSWORD}/password",
        writes=(writes(), PORT),
        reads=(reads(design), PORT),
    )
    data = {"catalogue.json": render_config(place)}
    config = manifest("v1", "ConfigMap", _NAME, namespace=NAMESPACE, labels=pod_labels, data=data)
    return (
        config,
        deployment(
            _NAME,
            pod_labels,
            _api_pod(design, image),
            replicas=count(design, instance),
            read=[config],
        ),
        service(_NAME, pod_labels, {"https": (443, "https")}),
        disruption_budget(_NAME, pod_labels),
    )


def _api_pod(design: Design, image: str) -> dict[str, Any]:
    environment = {"PYTHONPATH": f"/{PROGRAMS}", "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nonexistent"}
    password = {"secretName": secret_name(DATABASE.user), "items": [{"key": "password", "path": "password"}]}
    volumes: dict[str, tuple[str, dict[str, Any]]] = {
        "config": (_CONFIG, {"configMap": {"name": _NAME}}),
        "tls": (_TLS, {"secret": {"secretName": tls_secret(_NAME)}}),
        # As a file: it is read at every connect, so a new password needs no new pod.
        "password": (_PASSWORD, {"secret": password}),
    }
    api = container(
        "api",
        image,
        ["/usr/bin/python3", "-m", "catalogue", f"{_CONFIG}/catalogue.json"],
        size=sized(API),
        ports=[{"name": "https", "containerPort": API_PORT}],
        env=[{"name": name, "value": value} for name, value in environment.items()],
        volumeMounts=[
            {"name": name, "mountPath": path, "readOnly": True} for name, (path, _) in volumes.items()
        ],
        startupProbe=_probe("live", periodSeconds=1, failureThreshold=60),
        livenessProbe=_probe("live", periodSeconds=10, failureThreshold=3),
        readinessProbe=_probe("ready", periodSeconds=5, failureThreshold=2),
        lifecycle={"preStop": leaving(design, _LEAVING)},
    )
    return pod(
        [api],
        volumes=[{"name": name, **volume} for name, (_, volume) in volumes.items()],
        terminationGracePeriodSeconds=30,
    )


def _probe(what: str, **timing: int) -> dict[str, Any]:
    asked = {"path": f"/api/health/{what}", "port": "https", "scheme": "HTTPS"}
    return {"httpGet": asked, "timeoutSeconds": 3, **timing}


IN_PODS = InPods(items=catalogue_items, image_files=image_files)
