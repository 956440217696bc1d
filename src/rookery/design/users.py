"""cephx users: each with what it needs and no more.

Daemons' own identities (mon., mgr.X, osd.N, mds.X, client.rgw.X) come with the daemons; these are the users
that people and applications get.
"""

from __future__ import annotations

from rookery.design.stored import CephUser, FileSystem, Pool


def build_users(
    pools: tuple[Pool, ...],
    file_system: FileSystem | None,
    *,
    admin_hosts: tuple[str, ...],
    worker_hosts: tuple[str, ...],
) -> tuple[CephUser, ...]:
    """Return the system's cephx users; `client.admin` stays on the control plane."""
    every = ("mon", "mgr", "osd", "mds")
    users = [CephUser(name="admin", caps=tuple((kind, "allow *") for kind in every), hosts=admin_hosts)]
    rbd = tuple(pool.name for pool in pools if pool.application == "rbd")
    if rbd:
        grants = ", ".join(f"profile rbd pool={name}" for name in rbd)
        users.append(
            CephUser(
                name="block",
                caps=(("mon", "profile rbd"), ("mgr", grants), ("osd", grants)),
                hosts=worker_hosts,
            )
        )
    if file_system is not None:
        users.append(
            CephUser(
                name="file",
                caps=(
                    ("mon", f"allow r fsname={file_system.name}"),
                    ("mds", f"allow rw fsname={file_system.name}"),
                    ("osd", f"allow rw tag cephfs data={file_system.name}"),
                ),
                hosts=worker_hosts,
            )
        )
    # For load, which looks how full the drives are and stops in time; its container gets the key.
    users.append(CephUser(name="load", caps=(("mon", "allow r"), ("mgr", "allow r")), hosts=()))
    return tuple(users)
