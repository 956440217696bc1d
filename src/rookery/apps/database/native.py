"""The database on servers: PostgreSQL under Patroni on workers, etcd on the control plane."""

from __future__ import annotations

from rookery.apps.app import OnServers, Port, Protection, Secret, SecretKind, Secrets
from rookery.apps.database import etcd, patroni
from rookery.design.model import AppDesign, Design, Host, Instance
from rookery.files import File, Program


def secrets(design: Design, app: AppDesign) -> tuple[Secret, ...]:
    """Return the passwords, and an authority of its own for etcd: whoever holds a certificate of it may say
    who is primary, so no other server gets one."""
    service = app.service
    assert service is not None
    members = dict((*service.instances, *service.coordinators))
    return (
        *(Secret(name=f"database.{user}") for user in patroni.USERS),
        *(Secret(name=f"database.user.{database.user}") for database in design.databases),
        Secret(name="etcd", kind=SecretKind.AUTHORITY),
        *(
            Secret(name=f"etcd.{name}", kind=SecretKind.CERTIFICATE, authority="etcd", names=(name, address))
            for name, address in members.items()
        ),
    )


def server_files(design: Design, app: AppDesign, host: Host, instance: Instance) -> tuple[File, ...]:
    if instance.component == "etcd":
        return (etcd.render_etcdctl(host),)
    return patroni.server_files(design, app, host)


def private_files(
    design: Design, _app: AppDesign, host: Host, instance: Instance, known: Secrets
) -> tuple[File, ...]:
    if instance.component == "etcd":
        return etcd.private_files(host, known)
    return patroni.private_files(design, host, known)


def server_programs(_design: Design, app: AppDesign, host: Host, instance: Instance) -> tuple[Program, ...]:
    if instance.component == "etcd":
        assert app.service is not None
        return (etcd.program(instance, host, app.service),)
    return (patroni.program(instance),)


ON_SERVERS = OnServers(
    programs=server_programs,
    files=server_files,
    private_files=private_files,
    secrets=secrets,
    ports=(
        Port(
            component="postgres",
            number=patroni.POSTGRES_PORT,
            protected="TLS 1.2 or newer, scram-sha-256",
        ),
        Port(component="postgres", number=patroni.API_PORT, protected="TLS; changes need a password"),
        Port(
            component="etcd",
            number=etcd.CLIENT_PORT,
            protected="TLS, with a client's certificate of etcd's authority",
        ),
        Port(
            component="etcd",
            number=etcd.PEER_PORT,
            protected="TLS, with a member's certificate of etcd's authority",
        ),
    ),
    protection=(
        Protection(
            title="PostgreSQL.",
            words="TLS 1.2 or newer and scram-sha-256 for every connection over the network; any other is "
            "refused. The superuser comes by the local socket only. Replicas verify the primary's "
            "certificate and name.",
        ),
        Protection(
            title="etcd.",
            words="TLS both ways, with certificates of an authority of its own that only etcd's and "
            "PostgreSQL's hosts get: who holds one may say who is primary.",
        ),
    ),
)
