"""What CloudNativePG's plugin runs, word for word: barman-cloud with these arguments and nothing else.

As of plugin-barman-cloud 0.14.0 with its library barman-cloud at 950b0f57e122 (July 2026), which runs barman
3.19.1: `pkg/archiver/command.go`, `pkg/backup/backup.go`, `pkg/command/` and the plugin's
`internal/cnpgi/restore/restore.go`. The settings are those of our tree (`apps/database/backups.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_CLOUD = ("--cloud-provider", "aws-s3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """An ObjectStore as the plugin has it: `endpointURL`, `destinationPath`, and a cluster's `serverName`."""

    url: str
    path: str
    server: str

    @property
    def _place(self) -> tuple[str, ...]:
        return (self.path, self.server)

    def list(self) -> tuple[str, ...]:
        """GetBackupList."""
        argv = ("barman-cloud-backup-list", "--format", "json", "--endpoint-url", self.url)
        return (*argv, *_CLOUD, *self._place)

    def show(self, name: str) -> tuple[str, ...]:
        """GetBackupByName."""
        argv = ("barman-cloud-backup-show", "--format", "json", "--endpoint-url", self.url)
        return (*argv, *_CLOUD, *self._place, name)

    def backup(self, name: str) -> tuple[str, ...]:
        """GetBarmanCloudBackupOptions."""
        data = ("--gzip", "--immediate-checkpoint", "--jobs", "1")
        argv = ("barman-cloud-backup", "--user", "postgres", "--name", name, *data)
        return (*argv, "--endpoint-url", self.url, *_CLOUD, *self._place)

    def archive(self, wal: str) -> tuple[str, ...]:
        """BarmanCloudWalArchiveOptions, and the file."""
        argv = ("barman-cloud-wal-archive", "--gzip", "--endpoint-url", self.url)
        return (*argv, *_CLOUD, *self._place, wal)

    def restore(self, backup: str, data: str) -> tuple[str, ...]:
        """RestoreDataDir."""
        return ("barman-cloud-restore", *_CLOUD, "--endpoint-url", self.url, *self._place, backup, data)

    def wal(self, name: str, target: str) -> tuple[str, ...]:
        """CloudWalRestoreOptions, and which file to where."""
        argv = ("barman-cloud-wal-restore", "--endpoint-url", self.url, *_CLOUD, *self._place)
        return (*argv, name, target)


def environment(access: str, secret: str, authority: str) -> Mapping[str, str]:
    """Return what the plugin sets for them, with what the tree adds for the sidecar."""
    return {
        "AWS_ACCESS_KEY_ID": access,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_CA_BUNDLE": authority,
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    }
