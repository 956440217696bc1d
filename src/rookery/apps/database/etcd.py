"""etcd: the few bytes on which everything else agrees, on the control plane."""

from __future__ import annotations

from rookery.apps.app import Secrets
from rookery.design.model import DatabaseService, Host, Instance
from rookery.files import File, Program

CLIENT_PORT = 2379
PEER_PORT = 2380
_FOLDER = "etc/rookery/etcd"


def client_urls(service: DatabaseService) -> tuple[str, ...]:
    return tuple(f"https://{address}:{CLIENT_PORT}" for _, address in service.coordinators)


def program(instance: Instance, host: Host, service: DatabaseService) -> Program:
    """Return etcd, which asks clients and peers alike for a certificate and speaks to no one in clear."""
    cluster = ",".join(f"{name}=https://{address}:{PEER_PORT}" for name, address in service.coordinators)
    certificates = ("trusted-ca-file=/{0}/ca.crt", "cert-file=/{0}/etcd.crt", "key-file=/{0}/etcd.key")
    argv = (
        "etcd",
        f"--name={host.name}",
        "--data-dir=/var/lib/etcd/member",
        f"--listen-client-urls=https://{host.address}:{CLIENT_PORT}",
        f"--advertise-client-urls=https://{host.address}:{CLIENT_PORT}",
        f"--listen-peer-urls=https://{host.address}:{PEER_PORT}",
        f"--initial-advertise-peer-urls=https://{host.address}:{PEER_PORT}",
        f"--initial-cluster={cluster}",
        "--initial-cluster-state=new",
        "--initial-cluster-token=database",
        "--client-cert-auth",
        "--peer-client-cert-auth",
        *(f"--{option.format(_FOLDER)}" for option in certificates),
        *(f"--peer-{option.format(_FOLDER)}" for option in certificates),
        # Patroni writes a few keys a second: history of an hour is plenty, and memory stays small.
        "--auto-compaction-retention=1h",
        "--snapshot-count=10000",
        "--log-level=warn",
    )
    return Program(name=instance.name, argv=argv, user="etcd", priority=50)


def certificate_files(host: Host, secrets: Secrets, *, owner: str) -> tuple[File, ...]:
    """Return a host's certificate of etcd's own authority, its key readable by `owner` alone."""
    return (
        File.text(f"{_FOLDER}/ca.crt", secrets["etcd.crt"]),
        File.text(f"{_FOLDER}/{owner}.crt", secrets[f"etcd.{host.name}.crt"]),
        File.text(f"{_FOLDER}/{owner}.key", secrets[f"etcd.{host.name}.key"], mode=0o400, owner=owner),
    )


def private_files(host: Host, secrets: Secrets) -> tuple[File, ...]:
    return certificate_files(host, secrets, owner="etcd")


def render_etcdctl(host: Host) -> File:
    """Return what makes `etcdctl` work as it is for root of an etcd host."""
    options = ("cacert=/{0}/ca.crt", "cert=/{0}/etcd.crt", "key=/{0}/etcd.key")
    words = [f"--endpoints=https://{host.address}:{CLIENT_PORT}"]
    words += [f"--{option.format(_FOLDER)}" for option in options]
    text = f'#!/bin/sh\nexec /usr/bin/etcdctl {" ".join(words)} "$@"\n'
    return File.text("usr/local/bin/etcdctl", text, mode=0o755)
