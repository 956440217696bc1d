"""PostgreSQL under Patroni: one instance is primary, the others follow, and etcd decides.

Settings that differ from the defaults carry their reason beside them.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from rookery.apps.app import Secrets
from rookery.apps.database import etcd
from rookery.apps.database.settings import DatabaseSettings
from rookery.apps.database.sizes import KEPT, log_settings
from rookery.design.model import AppDesign, Design, Host, Instance
from rookery.files import File, Program, packaged
from rookery.versions import POSTGRES_MAJOR

POSTGRES_PORT = 5432
API_PORT = 8008
VERSION = int(POSTGRES_MAJOR)
VOLUME = "/var/lib/postgresql"
SOCKETS = "/run/postgresql"
CONFIG = "etc/rookery/patroni.json"
_ENVIRONMENT = "etc/rookery/patroni.env"
_TLS = "etc/rookery/postgres"
DATA = f"{VOLUME}/{VERSION}/main"

# The users of Patroni itself: the superuser, who comes by the local socket only; who copies the primary; who
# rewinds an old primary to follow the new one; and who may change things over Patroni's API.
USERS = ("superuser", "replicator", "rewind", "api")

# Seconds. A primary that cannot renew its lock for TTL is succeeded; it looks every LOOP. Patroni's own floor
# for the first is 20, meant for networks that lose packets: docs/decisions/0013-failover-time.md.
TTL, LOOP, RETRY = 12, 4, 4

_PATRONICTL = f"""\
#!/bin/sh
. /{_ENVIRONMENT}
exec /usr/bin/patronictl --config-file /{CONFIG} "$@"
"""

PARAMETERS: dict[str, object] = {
    "max_connections": 200,
    "shared_buffers": "128MB",
    # What was acknowledged is on the disk of two instances; a checkpoint writes what both have already.
    "checkpoint_timeout": "15min",
    "wal_keep_size": KEPT,
    # A flush of an RBD volume takes some 4 ms (pg_test_fsync). Who commits among three others waits half of
    # that, as PostgreSQL's documentation advises, and shares the flush, on the replica too.
    "commit_delay": 2000,  # microseconds
    "commit_siblings": 3,
    # Whole pages in the log cost more network and drives, three times over, than compressing them costs CPU.
    "wal_compression": "lz4",
    # A rewind needs to know which blocks changed.
    "wal_log_hints": "on",
    "password_encryption": "scram-sha-256",
    "ssl": "on",
    "ssl_ca_file": "/etc/rookery/tls/ca.crt",
    "ssl_cert_file": f"/{_TLS}/server.crt",
    "ssl_key_file": f"/{_TLS}/server.key",
    "ssl_min_protocol_version": "TLSv1.2",
    # A client's or replica's host that vanished is noticed within seconds, not the kernel's two hours.
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": "10s",
    "wal_sender_timeout": "5s",
    "wal_receiver_timeout": "5s",
    # Compiling a query pays for long reports; this site has none.
    "jit": "off",
    "log_min_duration_statement": "2s",
}


def program(instance: Instance) -> Program:
    argv = ("/usr/lib/rookery/start-patroni",)
    return Program(name=instance.name, argv=argv, priority=600, gated=True, told="HUP")


def server_files(design: Design, app: AppDesign, host: Host) -> tuple[File, ...]:
    """Return Patroni's configuration without its passwords, and the programs that start it."""
    config = json.dumps(build_config(design, app, host), indent=1)
    return (
        File.text(CONFIG, config + "\n", mode=0o640, owner="postgres"),
        # So that `patronictl list` works as it is for root of the host.
        File.text("usr/local/bin/patronictl", _PATRONICTL, mode=0o755),
        *packaged(files("rookery.apps.database") / "guest", "usr/lib/rookery", mode=0o755),
    )


def private_files(design: Design, host: Host, secrets: Secrets) -> tuple[File, ...]:
    """Return the passwords as Patroni's environment, and the keys of its two kinds of TLS."""
    names = {
        "PATRONI_SUPERUSER_PASSWORD": "superuser",
        "PATRONI_REPLICATION_PASSWORD": "replicator",
        "PATRONI_REWIND_PASSWORD": "rewind",
        "PATRONI_RESTAPI_PASSWORD": "api",
    }
    environment = "".join(f"export {name}='{secrets[f'database.{user}']}'\n" for name, user in names.items())
    certificate, key = secrets[f"tls.{host.name}.crt"], secrets[f"tls.{host.name}.key"]
    assert design.database is not None
    return (
        File.text(_ENVIRONMENT, environment, mode=0o400, owner="postgres"),
        File.text(f"{_TLS}/server.crt", certificate),
        File.text(f"{_TLS}/server.key", key, mode=0o400, owner="postgres"),
        *etcd.certificate_files(host, secrets, owner="postgres"),
    )


def build_config(design: Design, app: AppDesign, host: Host) -> dict[str, Any]:
    """Return Patroni's configuration of the instance on `host`."""
    service = app.service
    assert service is not None
    etcd_tls = {"cacert": "ca.crt", "cert": "postgres.crt", "key": "postgres.key"}
    return {
        "scope": design.name,
        "namespace": "/database/",
        "name": host.name,
        "restapi": {
            "listen": f"{host.address}:{API_PORT}",
            "connect_address": f"{host.address}:{API_PORT}",
            "certfile": f"/{_TLS}/server.crt",
            "keyfile": f"/{_TLS}/server.key",
            "cafile": "/etc/rookery/tls/ca.crt",
            "authentication": {"username": "api"},
        },
        "ctl": {"cacert": "/etc/rookery/tls/ca.crt"},
        "etcd3": {
            "hosts": [f"{address}:{etcd.CLIENT_PORT}" for _, address in service.coordinators],
            "protocol": "https",
            **{name: f"/etc/rookery/etcd/{file}" for name, file in etcd_tls.items()},
        },
        "bootstrap": {
            "dcs": _cluster_settings(app),
            "initdb": [
                {"encoding": "UTF8"},
                {"locale": "C.UTF-8"},
                {"auth-local": "peer"},
                {"auth-host": "scram-sha-256"},
                "data-checksums",
                # One flush of the whole volume afterwards is quicker than one of each of a thousand files.
                "no-sync",
            ],
            "post_init": f"sh -c 'sync --file-system {VOLUME}'",
        },
        "postgresql": _postgres(design, app, host),
    }


def _postgres(design: Design, app: AppDesign, host: Host) -> dict[str, Any]:
    assert isinstance(app.settings, DatabaseSettings)
    return {
        "listen": f"{host.address}:{POSTGRES_PORT}",
        "connect_address": f"{host.address}:{POSTGRES_PORT}",
        "data_dir": DATA,
        "bin_dir": f"/usr/lib/postgresql/{VERSION}/bin",
        # An absolute name stands as it is: what a killed postmaster left is ended before another starts.
        "bin_name": {"postgres": "/usr/lib/rookery/start-postgres"},
        "pgpass": "/run/postgresql/pgpass",
        # Copying the primary begins with a checkpoint: at once, not spread over minutes.
        "basebackup": [{"checkpoint": "fast"}],
        "use_unix_socket": True,
        "use_unix_socket_repl": True,
        # In each instance's own file, not in etcd: they follow a volume that grows.
        "parameters": {
            "unix_socket_directories": SOCKETS,
            # A replica that is there before its slot at the primary asks again soon, not after 5 s.
            "wal_retrieve_retry_interval": "500ms",
            **log_settings(int(app.settings.volume)),
            **_archiving(design),
        },
        "pg_hba": _access(design),
        "authentication": _authentication(),
    }


def _archiving(design: Design) -> dict[str, object]:
    """Return what becomes of the log. It is always archived, be it to nowhere: whether it is changes with a
    restart only, where to by reading the settings anew."""
    if design.backup is None:
        return {"archive_mode": "on", "archive_command": "/bin/true"}
    command = "PYTHONPATH=/usr/lib/rookery/backup python3 -m backups.archive %p"
    # What is lost with everything but the store is at most a minute of an idle database's rows.
    return {"archive_mode": "on", "archive_command": command, "archive_timeout": "60s"}


def _cluster_settings(app: AppDesign) -> dict[str, Any]:
    """Return what all instances share, kept in etcd from the first start on."""
    assert isinstance(app.settings, DatabaseSettings)
    return {
        "ttl": TTL,
        "loop_wait": LOOP,
        "retry_timeout": RETRY,
        "maximum_lag_on_failover": 1 << 20,
        # Only an instance that has every acknowledged transaction may follow a lost primary.
        "synchronous_mode": app.settings.synchronous,
        # Without etcd the primary goes on for as long as it reaches all others.
        "failsafe_mode": True,
        "postgresql": {"use_pg_rewind": True, "use_slots": True, "parameters": PARAMETERS},
    }


def _access(design: Design) -> list[str]:
    """Return pg_hba.conf: the superuser by the local socket only, everybody else over TLS with a password.

    By the local socket Patroni also asks its own instance, as one that replicates, which timeline it is on:
    without that answer it never finds out that it has to be rewound, and follows nobody.
    """
    network = design.network.public
    return [
        "local all postgres peer",
        "local replication postgres peer",
        "local replication replicator scram-sha-256",
        f"hostssl replication replicator {network} scram-sha-256",
        f"hostssl postgres rewind {network} scram-sha-256",
        "host all postgres all reject",
        f"hostssl all all {network} scram-sha-256",
        "host all all all reject",
    ]


def _authentication() -> dict[str, dict[str, str]]:
    verified = {"sslmode": "verify-full", "sslrootcert": "/etc/rookery/tls/ca.crt"}
    return {
        "superuser": {"username": "postgres"},
        "replication": {"username": "replicator", **verified},
        "rewind": {"username": "rewind", **verified},
    }
