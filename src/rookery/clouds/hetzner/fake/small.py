"""Kinds that are little more than a name: SSH keys, placement groups, images, certificates."""

from __future__ import annotations

import base64
import binascii
import hashlib

from rookery.clouds.hetzner.fake.bodies import (
    ChangeImage,
    CreateCertificate,
    CreatePlacementGroup,
    CreateSshKey,
    Protect,
)
from rookery.clouds.hetzner.fake.call import Answer, Call, thing_of
from rookery.clouds.hetzner.fake.errors import ApiError, invalid, missing_here, not_unique
from rookery.clouds.hetzner.fake.selectors import check_labels
from rookery.clouds.hetzner.fake.things import Certificate, Image, PlacementGroup, SshKey
from rookery.clouds.hetzner.fake.views import (
    view_action,
    view_certificate,
    view_image,
    view_placement_group,
    view_ssh_key,
)

_KEY_TYPES = ("ssh-rsa", "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")


def create_ssh_key(call: Call) -> Answer:
    """Take a public key, which no other may be equal to."""
    account, said = call.account, call.says(CreateSshKey)
    check_labels(said.labels)
    fingerprint = _fingerprint(said.public_key)
    account.require_name("ssh_keys", said.name)
    if any(one.fingerprint == fingerprint for one in account.holdings.ssh_keys.values()):
        raise not_unique("public_key", "SSH key with the same fingerprint already exists")
    account.require_room("ssh_keys")
    key = SshKey(
        id=account.next_id(),
        name=said.name,
        created=account.clock.now(),
        labels=dict(said.labels),
        public_key=said.public_key.strip(),
        fingerprint=fingerprint,
    )
    account.holdings.ssh_keys[key.id] = key
    return Answer(status=201, body={"ssh_key": view_ssh_key(account, key)})


def _fingerprint(public_key: str) -> str:
    """Return a key's fingerprint as Hetzner writes it: MD5, in pairs of digits."""
    parts = public_key.split()
    wrong = invalid(("public_key", "SSH key not in OpenSSH format"))
    if len(parts) < 2 or parts[0] not in _KEY_TYPES:
        raise wrong
    try:
        content = base64.b64decode(parts[1], validate=True)
    except (ValueError, binascii.Error):
        raise wrong from None
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return ":".join(digest[index : index + 2] for index in range(0, len(digest), 2))


def delete_ssh_key(call: Call) -> Answer:
    """Forget a key; servers that were made with it keep it."""
    key: SshKey = thing_of(call, "ssh_keys", SshKey)
    del call.account.holdings.ssh_keys[key.id]
    return Answer(status=204)


def create_placement_group(call: Call) -> Answer:
    """Make a group whose servers stand on machines of their own."""
    account, said = call.account, call.says(CreatePlacementGroup)
    check_labels(said.labels)
    account.require_name("placement_groups", said.name)
    account.require_room("placement_groups")
    group = PlacementGroup(
        id=account.next_id(),
        name=said.name,
        created=account.clock.now(),
        labels=dict(said.labels),
        type=said.type,
    )
    account.holdings.placement_groups[group.id] = group
    body = {"placement_group": view_placement_group(account, group), "action": None}
    return Answer(status=201, body=body)


def delete_placement_group(call: Call) -> Answer:
    """Delete a group that no server is in."""
    group: PlacementGroup = thing_of(call, "placement_groups", PlacementGroup)
    held = call.account.holdings
    if any(one.placement_group == group.id for one in held.servers.values()):
        raise ApiError("resource_in_use", "placement group is still in use")
    del held.placement_groups[group.id]
    return Answer(status=204)


def change_image(call: Call) -> Answer:
    """Change what an image that a user made is called, or make a copy of a server a snapshot."""
    image, said = _own_image(call), call.says(ChangeImage)
    if said.labels is not None:
        check_labels(said.labels)
        image.labels = dict(said.labels)
    if said.description is not None:
        image.description = said.description
    if said.type is not None:
        image.type, image.bound_to = said.type, None
    return Answer(body={"image": view_image(call.account, image)})


def delete_image(call: Call) -> Answer:
    """Delete an image that a user made."""
    image = _own_image(call)
    if image.protected:
        raise ApiError("protected", "image deletion is protected")
    call.account.require_free([("image", image.id)])
    del call.account.holdings.images[image.id]
    return Answer(status=204)


def protect_image(call: Call) -> Answer:
    """Forbid that a snapshot is deleted, or allow it."""
    image = _own_image(call)
    image.protected = bool(call.says(Protect).delete)
    action = call.account.act("change_protection", ("image", image.id))
    return Answer(status=201, body={"action": view_action(call.account, action)})


def _own_image(call: Call) -> Image:
    if call.id in call.account.catalogue.images:
        raise ApiError("forbidden", "only images of type snapshot and backup can be changed")
    image: Image = thing_of(call, "images", Image)
    return image


def create_certificate(call: Call) -> Answer:
    """Take a certificate with its key. Managed ones need Hetzner's DNS, which is not here."""
    account, said = call.account, call.says(CreateCertificate)
    if said.type == "managed":
        raise missing_here("managed certificates")
    check_labels(said.labels or {})
    account.require_name("certificates", said.name)
    account.require_room("certificates")
    certificate = _read_certificate(account.next_id(), account.clock.now(), said)
    account.holdings.certificates[certificate.id] = certificate
    body = {"certificate": view_certificate(account, certificate), "action": None}
    return Answer(status=201, body=body)


def _read_certificate(number: int, now: float, said: CreateCertificate) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    if not said.certificate or not said.private_key:
        raise invalid(("certificate", "and private_key are needed"))
    try:
        read = x509.load_pem_x509_certificate(said.certificate.encode())
        key = serialization.load_pem_private_key(said.private_key.encode(), None)
    except ValueError:
        raise invalid(("certificate", "or private_key is not in PEM format")) from None
    if key.public_key() != read.public_key():
        raise invalid(("private_key", "is not of the certificate"))
    try:
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        domains = names.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        domains = []
    digest = read.fingerprint(hashes.SHA256()).hex()
    return Certificate(
        id=number,
        name=said.name,
        created=now,
        labels=dict(said.labels or {}),
        certificate=said.certificate,
        fingerprint=":".join(digest[index : index + 2] for index in range(0, len(digest), 2)),
        domains=list(domains),
        begins=read.not_valid_before_utc.timestamp(),
        ends=read.not_valid_after_utc.timestamp(),
    )


def delete_certificate(call: Call) -> Answer:
    """Delete a certificate that no load balancer uses."""
    certificate: Certificate = thing_of(call, "certificates", Certificate)
    if view_certificate(call.account, certificate)["used_by"]:
        raise ApiError("resource_in_use", "certificate is still in use")
    del call.account.holdings.certificates[certificate.id]
    return Answer(status=204)
