"""The live channel on one origin: encodes while this host holds the lease, waits for it otherwise.

One such process runs on each origin. The lease is looked after here, encoding is ffmpeg's, and what goes to
CephFS is the publisher's, in a thread of its own, so that a file system that hangs never delays a renewal.
Run by itself, it is that of a server with Ceph's own libraries; cluster_channel.py is that of a pod.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rookery.apps.streaming.guest.channel.encoder import Encoder
    from rookery.apps.streaming.guest.channel.publisher import Publisher
    from rookery.apps.streaming.guest.parts import Lease, Share
else:  # on a server, these files lie side by side in a folder that is no package
    from encoder import Encoder
    from publisher import Publisher

_PAUSE = 5.0  # seconds in which a leader that failed leaves the lease to others
_BARREN = 30.0  # seconds without a segment; one takes two, and the first some more on a busy machine
_HANGS = 15.0  # seconds without progress; a metadata server that fails over takes less
_END = 3.0  # seconds that the publisher gets to finish what it is writing

log = logging.getLogger("channel")


class Channel:
    """This host's part in the channel."""

    def __init__(self, *, host: str, lease: Lease, share: Share, encoder: Encoder) -> None:
        self._host = host
        self._lease = lease
        self._share = share
        self._encoder = encoder
        self._publisher: Publisher | None = None
        self._not_before = 0.0
        self._said = ""
        self.stopping = threading.Event()

    def run(self) -> None:
        """Lead or follow until `stopping` is set."""
        while not self.stopping.is_set():
            if self._publisher is None:
                self._follow()
            else:
                self._go_on(self._publisher)
            lease = self._lease
            self.stopping.wait(lease.try_every if self._publisher is None else lease.renew_every)
        self._stand_down("told to stop")

    def _follow(self) -> None:
        if time.monotonic() < self._not_before:
            return
        if self._lease.take():
            self._said = ""
            log.info("leading: this host encodes from now on")
            self._encoder.start()
            self._publisher = Publisher(
                host=self._host, source=self._encoder.folder, share=self._share, lease=self._lease
            )
            self._publisher.start()
        else:
            self._say(
                f"waiting: who holds the lease is not known: {self._lease.unknown}"
                if self._lease.unknown
                else "following: another host holds the lease"
            )

    def _say(self, what: str) -> None:
        """Say what this host does, once for as long as it is so."""
        if what != self._said:
            self._said = what
            log.info(what)

    def _go_on(self, publisher: Publisher) -> None:
        """Renew, unless there is a reason to leave the lead to others."""
        if not self._lease.held:
            # Taking it again would not tell whether another host led meanwhile.
            self._stand_down("the lease could not be renewed in time")
        elif publisher.error:
            self._stand_down(f"publishing failed: {publisher.error}")
        elif not publisher.is_alive():
            # It saw the lease run out while the renewal that came through was still under way.
            self._stand_down("the lease had run out for a moment")
        elif publisher.silent_for > _HANGS:
            # Who only renews the lease keeps all others from encoding. This process ends, and whoever leads
            # next fences the client that hangs.
            self._stand_down(f"publishing stands still for {publisher.silent_for:.0f} s")
        elif not self._encoder.running:
            self._stand_down("ffmpeg ended by itself")
        elif publisher.barren_for > _BARREN:
            self._stand_down(f"ffmpeg has made no segment for {publisher.barren_for:.0f} s")
        else:
            self._lease.take()
            return
        self._not_before = time.monotonic() + _PAUSE

    def _stand_down(self, reason: str) -> None:
        """Stop encoding and publishing, and give the lease up once nothing writes any more."""
        if self._publisher is None:
            return
        self._encoder.kill()
        if not self._publisher.end(_END):
            # It cannot be ended within this process. Its signature stands: a successor fences it.
            log.error("not leading any more: %s; a write to CephFS hangs, so this process ends", reason)
            os._exit(1)
        self._publisher = None
        self._lease.release()
        log.info("not leading any more: %s", reason)

    def watch(self) -> None:
        """Kill ffmpeg before the lease ends, whatever the main thread is waiting for."""
        while True:
            time.sleep(0.2)
            if self._publisher is not None and not self._lease.held and self._encoder.running:
                log.error("the lease runs out without an answer: ffmpeg is killed")
                self._encoder.kill()


def options(description: str) -> argparse.ArgumentParser:
    """Return what every channel can be told."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--host", required=True, help="this host's name")
    parser.add_argument("--size", default="640x360", help="size of the picture")
    parser.add_argument("--work", type=Path, default=Path("/run/live-channel"), help="the encoder's folder")
    return parser


def start_log() -> None:
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%SZ"
    )


def serve(given: argparse.Namespace, *, lease: Lease, share: Share) -> None:
    """Take part in the channel until told to stop by a signal."""
    width, height = (int(part) for part in given.size.split("x"))
    encoder = Encoder(host=given.host, width=width, height=height, folder=given.work)
    channel = Channel(host=given.host, lease=lease, share=share, encoder=encoder)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        channel.stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    threading.Thread(target=channel.watch, name="watch", daemon=True).start()
    channel.run()
    lease.close()


def main() -> None:
    # Ceph's libraries are on servers, and in no pod.
    import rados

    if TYPE_CHECKING:
        from rookery.apps.streaming.guest.channel.servers import lease, share
    else:
        import lease
        import share

    parser = options("The live channel on one origin.")
    parser.add_argument("--user", required=True, help="cephx user, without 'client.'")
    parser.add_argument("--pool", required=True, help="pool of the lease's object")
    parser.add_argument("--namespace", required=True, help="namespace of the lease's object")
    parser.add_argument("--file-system", default="cephfs", help="the CephFS that has the folder")
    parser.add_argument("--path", default="/live", help="the folder to publish to, within the file system")
    given = parser.parse_args()
    start_log()
    try:
        right = lease.Lease(user=given.user, pool=given.pool, namespace=given.namespace, host=given.host)
    except rados.Error as error:
        raise SystemExit(f"no connection to the cluster: {error}") from error
    folder = share.Share(user=given.user, file_system=given.file_system, path=given.path)
    serve(given, lease=right, share=folder)


if __name__ == "__main__":
    main()
