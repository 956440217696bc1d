"""The database on servers: PostgreSQL under Patroni on workers, etcd on the control plane."""

from __future__ import annotations

from rookery.apps.app import Secret, SecretKind, Secrets
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
