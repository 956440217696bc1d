"""The command that builds the container image of our pods: image."""

from __future__ import annotations

from pathlib import Path

import click

from rookery.errors import ExitCode

_IMPORT = """\
On a node of Kubernetes, as root, by what its container runtime reads:
  skopeo copy oci-archive:{file} containers-storage:{reference}     CRI-O
  podman load -i {file}                                             CRI-O
  ctr -n k8s.io images import {file}                                containerd
Or to a registry that the nodes reach; then `rookery render --image REGISTRY/{name}`:
  skopeo copy oci-archive:{file} docker://REGISTRY/{name}"""


@click.command(short_help="Build the container image of our pods.")
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Copy the archive here too.",
)
@click.option("--reference", is_flag=True, help="Print what pods name it by, and build nothing.")
def image(*, file: Path | None, reference: bool) -> int:
    """Build the container image of our pods, as one file (an OCI archive); as root.

    The image holds Debian's packages and this program's own for all pods of the media site. Its tag is a hash
    of what goes into it; a version of this program that changes nothing of that builds nothing.

    \b
    rookery image
    rookery image -o rookery-apps.tar
    rookery image --reference
    """
    from rookery.apps.pod_image import image_reference

    if reference:
        click.echo(image_reference())
        return ExitCode.DONE
    from rookery.run.image import build_image

    built = build_image(to=file, report=lambda text: click.echo(f"  {text}", err=True))
    click.echo(f"reference  {built.reference}")
    click.echo(f"archive    {built.archive}")
    click.echo(f"size       {built.size / 1e6:.0f} MB")
    name = built.reference.removeprefix("localhost/")
    click.echo("\n" + _IMPORT.format(file=built.archive, reference=built.reference, name=name))
    return ExitCode.DONE
