"""What runs of streaming, on a server and in a pod alike, and where its programs are there."""

from __future__ import annotations

from rookery.apps import sizes
from rookery.apps.streaming.origin import ORIGIN_PORT
from rookery.design.model import Instance
from rookery.units import MIB

MEDIA_BUCKET = "media"
PROGRAM_FOLDER = "usr/lib/rookery/streaming"
# In our container image; on the lab the packer is laid where it runs.
PACKING_FOLDER = "usr/lib/rookery/packing"

ORIGIN = Instance(
    app="streaming", component="origin", memory=sizes.ORIGIN.memory, resident=10 * MIB, ports=(ORIGIN_PORT,)
)
CHANNEL = Instance(
    app="streaming", component="channel", memory=sizes.CHANNEL.memory, resident=50 * MIB, ports=()
)
