"""Speaks to Ceph from inside a server, for a program outside: a JSON request a line, a JSON answer a line.

It runs on the server's own Python with Ceph's own bindings, so the program outside needs neither. Requests
carry an `id` and run side by side; answers carry the same `id`. It ends when its input does.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import rados

_CONNECT_TRY = 1  # seconds; a try that began before the monitors listened is slow to see them
_OPERATION_LIMIT = "60"  # seconds; a request without an answer by then fails instead of hanging
_UNFINISHED = 2.0  # seconds until an image without a header counts as abandoned by whoever made it

Answer = dict[str, Any]


class Agent:
    """One cephx user's connection to the cluster, and what can be asked of it."""

    def __init__(self, user: str) -> None:
        self._user = user
        self._cluster: Any = None
        self._connecting = threading.Lock()
        self._operations: dict[str, Callable[[dict[str, Any]], Answer]] = {
            "mon": self._mon,
            "mgr": self._mgr,
            "tell": self._tell,
            "rbd-round-trip": self._rbd_round_trip,
            "rbd-ensure": self._rbd_ensure,
            "rbd-resize": self._rbd_resize,
            "cephfs-write": self._cephfs_write,
            "cephfs-read": self._cephfs_read,
            "cephfs-remove": self._cephfs_remove,
            "cephfs-folder": self._cephfs_folder,
            "cephfs-layout": self._cephfs_layout,
            "cephfs-layout-pool": self._cephfs_layout_pool,
        }

    def answer(self, request: dict[str, Any]) -> Answer:
        try:
            return self._operations[request["op"]](request)
        except Exception as error:  # noqa: BLE001 - the asker decides what an error means
            return {"code": getattr(error, "errno", None) or 1, "status": f"{type(error).__name__}: {error}"}

    def cluster(self) -> Any:
        with self._connecting:
            if self._cluster is None:
                self._cluster = self._connect()
            return self._cluster

    def _connect(self) -> Any:
        last = ""
        for _ in range(120):
            cluster = rados.Rados(conffile="/etc/ceph/ceph.conf", name=f"client.{self._user}")
            for option in ("rados_mon_op_timeout", "rados_osd_op_timeout"):
                cluster.conf_set(option, _OPERATION_LIMIT)
            cluster.conf_set("client_mount_timeout", str(_CONNECT_TRY))
            try:
                cluster.connect(timeout=_CONNECT_TRY)
            except rados.Error as error:
                last = str(error)
                cluster.shutdown()
                time.sleep(0.1)
            else:
                return cluster
        raise ConnectionError(f"no monitor answers: {last}")

    def _mon(self, request: dict[str, Any]) -> Answer:
        command = json.dumps(request["command"])
        code, out, status = self.cluster().mon_command(command, request.get("input", "").encode())
        return {"code": -code, "out": out.decode(), "status": status}

    def _mgr(self, request: dict[str, Any]) -> Answer:
        command = json.dumps(request["command"])
        code, out, status = self.cluster().mgr_command(command, request.get("input", "").encode())
        return {"code": -code, "out": out.decode(), "status": status}

    def _tell(self, request: dict[str, Any]) -> Answer:
        """Ask a daemon itself (`osd.3`, `mgr.storage-k`, `mds.storage-l`), as `ceph tell` does."""
        kind, _, name = request["daemon"].partition(".")
        command, given = json.dumps(request["command"]), request.get("input", "").encode()
        if kind == "osd":
            code, out, status = self.cluster().osd_command(int(name), command, given)
        elif kind == "mgr":
            code, out, status = self.cluster().mgr_command(command, given, target=name)
        else:
            import cephfs

            client = cephfs.LibCephFS(conffile="/etc/ceph/ceph.conf", auth_id=self._user)
            try:
                client.init()
                code, out, status = client.mds_command(name, command, given)
            finally:
                client.shutdown()
        return {"code": -code, "out": out.decode(), "status": status}

    def _rbd_round_trip(self, request: dict[str, Any]) -> Answer:
        """Make an image, write to it, read it back through a new handle, and remove it."""
        import rbd

        name, size = request["image"], int(request["size"])
        data = os.urandom(size)
        with self.cluster().open_ioctx(request["pool"]) as pool:
            started = time.monotonic()
            rbd.RBD().create(pool, name, size, data_pool=request.get("data_pool") or None)
            try:
                with rbd.Image(pool, name) as image:
                    image.write(data, 0)
                    image.flush()
                with rbd.Image(pool, name, read_only=True) as image:
                    back = image.read(0, size)
            finally:
                rbd.RBD().remove(pool, name)
        same = hashlib.sha256(back).hexdigest() == hashlib.sha256(data).hexdigest()
        return {"code": 0, "same": same, "bytes": len(back), "seconds": time.monotonic() - started}

    def _rbd_ensure(self, request: dict[str, Any]) -> Answer:
        """Make an image where there is none; tell its size and that of its objects."""
        import rbd

        name = request["image"]

        def ensured(pool: Any) -> Answer:
            with contextlib.suppress(rbd.ImageExists):
                data_pool = request.get("data_pool") or None
                rbd.RBD().create(pool, name, int(request["size"]), data_pool=data_pool)
            with rbd.Image(pool, name, read_only=True) as image:
                return {"code": 0, "size": image.size(), "object_size": image.stat()["obj_size"]}

        with self.cluster().open_ioctx(request["pool"]) as pool:
            deadline = time.monotonic() + _UNFINISHED
            while True:
                try:
                    return ensured(pool)
                except rbd.ImageNotFound:
                    # Its name is taken and it has no header: another session is making it, or was killed
                    # while it did. Such an image has never held data.
                    if time.monotonic() > deadline:
                        break
                time.sleep(0.1)
            rbd.RBD().remove(pool, name)
            return ensured(pool)

    def _rbd_resize(self, request: dict[str, Any]) -> Answer:
        import rbd

        with (
            self.cluster().open_ioctx(request["pool"]) as pool,
            rbd.Image(pool, request["image"]) as image,
        ):
            image.resize(int(request["size"]))
        return {"code": 0}

    def _file_system(self, request: dict[str, Any]) -> Any:
        import cephfs

        mounted = cephfs.LibCephFS(conffile="/etc/ceph/ceph.conf", auth_id=self._user)
        mounted.conf_set("client_mount_timeout", "30")
        mounted.mount(filesystem_name=request["file_system"])
        return mounted

    def _cephfs_write(self, request: dict[str, Any]) -> Answer:
        mounted = self._file_system(request)
        data = request["text"].encode()
        try:
            handle = mounted.open(request["path"], "w", 0o644)
            mounted.write(handle, data, 0)
            mounted.fsync(handle, 0)
            mounted.close(handle)
        finally:
            mounted.shutdown()
        return {"code": 0, "sha256": hashlib.sha256(data).hexdigest()}

    def _cephfs_read(self, request: dict[str, Any]) -> Answer:
        mounted = self._file_system(request)
        try:
            handle = mounted.open(request["path"], "r")
            data = mounted.read(handle, 0, 1 << 20)
            mounted.close(handle)
        finally:
            mounted.shutdown()
        return {"code": 0, "sha256": hashlib.sha256(data).hexdigest()}

    def _cephfs_remove(self, request: dict[str, Any]) -> Answer:
        mounted = self._file_system(request)
        try:
            mounted.unlink(request["path"])
        finally:
            mounted.shutdown()
        return {"code": 0}

    def _cephfs_folder(self, request: dict[str, Any]) -> Answer:
        """Make a folder where there is none, and give it to a user."""
        import cephfs

        mounted = self._file_system(request)
        try:
            with contextlib.suppress(cephfs.ObjectExists):
                mounted.mkdir(request["path"], 0o755)
            mounted.chown(request["path"], int(request["uid"]), int(request["gid"]))
        finally:
            mounted.shutdown()
        return {"code": 0}

    def _cephfs_layout(self, request: dict[str, Any]) -> Answer:
        """Send the data of new files under the root to a pool."""
        mounted = self._file_system(request)
        try:
            mounted.setxattr("/", "ceph.dir.layout.pool", request["pool"].encode(), 0)
        finally:
            mounted.shutdown()
        return {"code": 0}

    def _cephfs_layout_pool(self, request: dict[str, Any]) -> Answer:
        """Tell to which pool the data of new files under the root goes."""
        import cephfs

        mounted = self._file_system(request)
        try:
            pool = mounted.getxattr("/", "ceph.dir.layout.pool", 255).decode()
        except cephfs.NoData:
            pool = ""  # no layout was set: files go to the default pool
        finally:
            mounted.shutdown()
        return {"code": 0, "pool": pool}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--user", default="admin")
    agent = Agent(parser.parse_args().user)
    writing = threading.Lock()

    def serve(line: str) -> None:
        request = json.loads(line)
        answer = json.dumps({"id": request["id"], **agent.answer(request)})
        with writing:
            sys.stdout.write(answer + "\n")
            sys.stdout.flush()

    pool = ThreadPoolExecutor(max_workers=16)
    for line in sys.stdin:
        pool.submit(serve, line)
    # Nobody listens any more: requests under way have no one to answer to.
    os._exit(0)


if __name__ == "__main__":
    main()
