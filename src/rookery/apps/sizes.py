"""What each container of our applications requests of a node: for its pod, and for the sums of `plan`.

Where limit and request are the same, a program takes what it takes. Where the request is lower, it usually
takes that.
"""

from __future__ import annotations

from rookery.design.model import Instance
from rookery.design.pod import PodGroup, Reach, Size
from rookery.units import MIB


def _size(cpu: int, memory: int, limit: int = 0) -> Size:
    """Return a size from thousandths of a CPU and MiB; the limit is the request where none is given."""
    return Size(cpu=cpu, memory=memory * MIB, limit=(limit or memory) * MIB)


POSTGRES = _size(200, 512)
# In the pod of each instance, where there are backups: CloudNativePG's plugin.
BACKUP_SIDECAR = _size(20, 256)

CHANNEL, ORIGIN = _size(250, 192), _size(50, 64)
# Generated films took 0.8 GiB on two cores, as measured. ffmpeg takes more for each core and for larger
# pictures, so it gets four cores at most, and may take twice the memory for a user's films.
PACK, PACK_GIVEN = _size(500, 832, 1024), _size(500, 832, 2048)
AWAIT_FILMS, PUBLISH_FILMS, FILMS_DOOR = _size(10, 32), _size(100, 192), _size(10, 32)

API, SCHEMA = _size(100, 192), _size(50, 128)
EDGE, PUBLISH_SITE, SEND_SITE = _size(100, 128), _size(50, 128), _size(50, 128)

# Backup: Jobs that ask S3 for a bucket's settings, a copy's two parts of 16 MB in memory, Velero's server and
# its agent on each worker, who wait; what moves data is a pod of its own. A snapshot of etcd is its size on
# disk, not in memory.
BUCKETS, COPY = _size(20, 96), _size(50, 160, 512)
VELERO, NODE_AGENT, VELERO_DEFINITIONS = _size(50, 128, 512), _size(20, 40, 512), _size(20, 64, 256)
VELERO_PLUGIN = _size(10, 16, 64)
ETCD_SNAPSHOT, KEEP_ETCD = _size(50, 64, 256), _size(50, 96, 256)


def instances(instance: Instance, count: int, size: Size) -> PodGroup:
    """Return the pods of a component, of which no two share a node."""
    return PodGroup(name=instance.name, size=size, reach=Reach.OPEN, count=count, apart=True)


def single(name: str, size: Size) -> PodGroup:
    """Return one pod that may run on any worker."""
    return PodGroup(name=name, size=size, reach=Reach.OPEN)


def work(name: str, size: Size) -> PodGroup:
    """Return a Job's pod."""
    return PodGroup(name=name, size=size, reach=Reach.OPEN, ends=True)
