"""The live channel in a pod: as channel.py, with a Lease of the API server's and a folder that is mounted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rookery.apps.streaming.guest.channel.channel import options, serve, start_log
    from rookery.apps.streaming.guest.channel.pods.cluster_lease import ApiError, ApiServer, ClusterLease
    from rookery.apps.streaming.guest.channel.pods.folder import FolderShare
else:  # in our image, these files lie side by side in a folder that is no package
    from channel import options, serve, start_log
    from cluster_lease import ApiError, ApiServer, ClusterLease
    from folder import FolderShare


def main() -> None:
    parser = options("The live channel in one pod.")
    parser.add_argument("--identity", required=True, help="this pod's name, by which it holds the Lease")
    parser.add_argument("--namespace", required=True, help="namespace of the Lease")
    parser.add_argument("--lease", required=True, help="name of the Lease, which is there")
    parser.add_argument("--folder", required=True, type=Path, help="the folder to publish to")
    given = parser.parse_args()
    start_log()
    try:
        server = ApiServer.of_this_pod()
    except ApiError as error:
        raise SystemExit(str(error)) from error
    lease = ClusterLease(server, namespace=given.namespace, name=given.lease, identity=given.identity)
    share = FolderShare(given.folder, writer=given.identity, may_write=lambda: lease.held)
    serve(given, lease=lease, share=share)


if __name__ == "__main__":
    main()
