"""How what no tree can hold comes into the site's bucket on Kubernetes: through a pod that waits for it.

That is a user's own folder, and pages that say what was known on one day. They come from the machine of
whoever has them, as an archive, by a command in the pod; the pod is in the cluster, so nothing need lead to
the gateways from outside. What comes is the whole site, and what else is in the bucket goes.

The rules come with the files, last of all: the program that publishes sends nothing before it has read them,
so an archive of which a part is missing does no harm.
"""

from __future__ import annotations

from rookery.apps.app import Sending
from rookery.apps.cdn.kubernetes.by_hand import render_by_hand
from rookery.apps.cdn.kubernetes.publishing import AUTHORITY, LABELS, environment, publish_argv
from rookery.apps.cdn.settings import CdnSettings
from rookery.apps.cdn.site.content import RULES, SITE_BUCKET
from rookery.apps.ground.names import NAMESPACE
from rookery.apps.ground.pods import container, pod, sized
from rookery.apps.serving import Rules, render_rules
from rookery.apps.sizes import SEND_SITE
from rookery.design.model import AppDesign
from rookery.manifest import Manifest, manifest
from rookery.units import MIB

SENDER = "site-content"
SENDING_LIMIT = 3600  # seconds for all files
# Hidden files are not published.
RULES_FILE = ".rules.json"
_FILES, _TLS = "/srv/files", "/etc/rookery/tls"
_ABANDONED = 60  # seconds that a Job stays which ended because nobody came back to it


def sending_command() -> tuple[str, ...]:
    """Return the command in the pod that takes an archive from its standard input and publishes it."""
    unpack = f"tar -x -f - -C {_FILES} -m --no-same-owner --no-same-permissions"
    publish = publish_argv([_FILES], rules=f"{_FILES}/{RULES_FILE}", ca=f"{_TLS}/ca.crt")
    return ("sh", "-c", f'{unpack} && exec "$@"', "sh", *publish, "--prune")


def sending_rules(app: AppDesign) -> str:
    """Return how the files are served, for the program: the site's rules, or those of a user's own folder."""
    assert isinstance(app.settings, CdnSettings)
    return render_rules(RULES if app.settings.site is None else Rules())


def sending_job(size: int, image: str) -> Manifest:
    """Return the Job whose pod waits for files of `size` bytes, with our `image`.

    It is a Job so that a node can be drained, and so that it goes by itself where nobody comes back to it.
    """
    ca = {"secretName": AUTHORITY, "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    waiting = container(
        "send",
        image,
        ["sleep", "infinity"],
        size=sized(SEND_SITE),
        env=environment(),
        volumeMounts=[
            {"name": "files", "mountPath": _FILES},
            {"name": "tls", "mountPath": _TLS, "readOnly": True},
        ],
    )
    specification = pod(
        [waiting],
        restartPolicy="Never",
        terminationGracePeriodSeconds=1,
        volumes=[
            # Twice the files: those that are small take more than their size.
            {"name": "files", "emptyDir": {"sizeLimit": f"{64 + 2 * size // MIB}Mi"}},
            {"name": "tls", "secret": ca},
        ],
    )
    spec = {
        "backoffLimit": 0,
        "activeDeadlineSeconds": SENDING_LIMIT + 300,
        "ttlSecondsAfterFinished": _ABANDONED,
        "template": {"metadata": {"labels": LABELS}, "spec": specification},
    }
    return manifest("batch/v1", "Job", SENDER, namespace=NAMESPACE, labels=LABELS, spec=spec)


SENDING = Sending(
    bucket=SITE_BUCKET,
    name=SENDER,
    job=sending_job,
    command=sending_command(),
    rules_file=RULES_FILE,
    rules=sending_rules,
    limit=SENDING_LIMIT,
    by_hand=render_by_hand,
)
