"""The guide on what no tree can hold of the site: how it comes into the bucket without `rookery up`."""

from __future__ import annotations

from rookery.apps.cdn.settings import CdnSettings
from rookery.apps.cdn.site.content import SITE_BUCKET
from rookery.apps.ground.names import CERT_MANAGER, ISSUER, NAMESPACE
from rookery.apps.serving import Rules, told_by_ending
from rookery.design.model import AppDesign, Design
from rookery.texts import shell_word

_DOCUMENT = """\
The tree brings the site's pages but for one: the design as one document (`/document.html`) says what was
known on the day it was made, prices for one. `rookery up` sends it, where it brings the system up. By hand,
with the keys of the bucket's claim:
"""
_FOLDER = """\
The site is a folder of your own, which no tree holds: the tree makes the bucket, and nothing is in it.
`rookery up` sends the folder, where it brings the system up. By hand, with the keys of the bucket's claim and
with the headers that `aws` does not guess (text that is not UTF-8 wants its own charset):
"""
_SEND = """\
site() {{
    how=$1 pattern=$2
    shift 2
    {aws} "$how" \\
        {folder} s3://{bucket} "$@" \\
        --exclude '*' --include "$pattern" --exclude '.*' --exclude '*/.*' \\
        --include ".well-known/$pattern" --exclude '.well-known/.*' --exclude '.well-known/*/.*' \\
        {fresh}
}}
site sync '*' --delete
while read -r pattern type; do
    site cp "$pattern" --recursive --content-type "$type"
done << 'END'
{types}END
site cp '*.svgz' --recursive --content-type image/svg+xml --content-encoding gzip"""
_KEYS = """\
key() {{ kubectl --namespace {namespace} get secret {bucket} --output "jsonpath={{.data.$1}}" | base64 -d; }}
export AWS_ACCESS_KEY_ID="$(key AWS_ACCESS_KEY_ID)" AWS_SECRET_ACCESS_KEY="$(key AWS_SECRET_ACCESS_KEY)"
kubectl --namespace {authority} get secret {issuer}-key --output 'jsonpath={{.data.tls\\.crt}}' |
    base64 -d > ca.crt
export AWS_CA_BUNDLE="$PWD/ca.crt" AWS_REQUEST_CHECKSUM_CALCULATION=when_required
"""


def render_by_hand(design: Design, app: AppDesign) -> str:
    """Return the section on the site of a design."""
    assert design.kubernetes is not None
    assert isinstance(app.settings, CdnSettings)
    folder = app.settings.site
    keys = _KEYS.format(namespace=NAMESPACE, bucket=SITE_BUCKET, authority=CERT_MANAGER, issuer=ISSUER)
    aws = f"aws --endpoint-url https://s3.{design.kubernetes.domain} --region default s3"
    fresh = f"--cache-control '{Rules().cache_control('')}'"
    if folder is None:
        said, first = (
            _DOCUMENT,
            "rookery render SPEC -o out --only document    # SPEC: the spec of this tree\n",
        )
        sends = (
            f"{aws} cp \\\n    out/design.html s3://{SITE_BUCKET}/document.html \\\n"
            f"    --content-type 'text/html; charset=utf-8' {fresh}"
        )
    else:
        said, first = _FOLDER, ""
        sends = _SEND.format(
            aws=aws, folder=shell_word(folder), bucket=SITE_BUCKET, fresh=fresh, types=_types()
        )
    return f"## The site: what is in no tree\n\n{said}\n```sh\n{first}{keys}{sends}\n```\n"


def _types() -> str:
    """Return the lines that say which names have a Content-Type that is not guessed."""
    return "".join(
        f"*{ending} {kind}\n"
        for kind, endings, encoding in told_by_ending()
        if not encoding
        for ending in endings
    )
