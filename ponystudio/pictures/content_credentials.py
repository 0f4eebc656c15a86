"""Content Credentials (C2PA): a signed statement in a picture that a model made it.

The extra `c2pa` brings what signs. The identity is made on this machine when it is first needed: a
root of its own and a certificate under it, for which nobody vouches. So the signature shows that
nothing was changed since, and that two pictures come from one place; it does not show who. The key
stays in one file of the data folder, which its owner alone can read. Nothing reaches the network:
no time stamp is asked for, no manifest is fetched.
"""

from __future__ import annotations

import datetime
import importlib.util
import io
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponystudio import __version__
from ponystudio.errors import NotWritable, UsageError
from ponystudio.graph.atomic_write import make_folder

FILE = "signing-identity.pem"
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
MIME = {"png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg", "avif": "image/avif"}
_YEARS = 20
# No pictures in pictures, and nothing from anywhere else.
_SETTINGS: Mapping[str, Any] = {
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}


def available() -> bool:
    """Whether the extra is installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("c2pa", "cryptography"))


def not_available() -> UsageError:
    return UsageError(
        "Pictures cannot be signed: the extra c2pa is not installed.",
        remedy="Install it with `pip install 'ponystudio[c2pa]'`, or do not ask for signatures.",
    )


@dataclass(frozen=True)
class SigningIdentity:
    """Who signs: a private key and the certificates that lead from it to its root, as PEM."""

    key: bytes
    chain: bytes


def identity(folder: Path) -> SigningIdentity:
    """That of this machine, whose file lies in `folder`; made if there is none.

    Raises NotWritable where it can be neither read nor kept.
    """
    path = folder / FILE
    try:
        if not path.is_file():
            make_folder(folder)
            made = _made()
            _write_private(path, made.key + made.chain)
        key, mark, certificates = path.read_bytes().partition(_CERTIFICATE)
    except OSError as error:
        raise NotWritable(
            f"The key that signs pictures cannot be kept: {error.strerror}.",
            where=str(path),
            remedy="Make the folder writable, or switch signatures off.",
        ) from None
    return SigningIdentity(key, mark + certificates)


def signed(data: bytes, format: str, source_type: str, who: SigningIdentity) -> bytes:
    """The file of a picture with a signed manifest: a model created it, as `source_type` says.

    `format` is that of `picture_writer`. Raises NotWritable for what cannot be signed.
    """
    import c2pa

    created = {
        "action": "c2pa.created",
        "digitalSourceType": source_type,
        "softwareAgent": {"name": "PonyStudio", "version": __version__},
    }
    manifest = {
        "claim_generator_info": [{"name": "PonyStudio", "version": __version__}],
        "format": MIME[format],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}],
    }
    target = io.BytesIO()
    try:
        with (
            c2pa.Context(c2pa.Settings.from_dict(dict(_SETTINGS))) as context,
            c2pa.Signer.from_info(c2pa.C2paSignerInfo("es256", who.chain, who.key, None)) as signer,
            c2pa.Builder(json.dumps(manifest), context) as builder,
        ):
            builder.sign(signer, MIME[format], io.BytesIO(data), target)
    except c2pa.C2paError as error:
        raise NotWritable(
            f"The picture cannot be signed: {error}.",
            remedy=f"Remove {FILE} from the data folder for a new identity, or switch signatures"
            " off.",
        ) from None
    return target.getvalue()


def _made() -> SigningIdentity:
    """A new key with its certificate, under a root whose key nobody keeps."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def named(what: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "PonyStudio"),
                x509.NameAttribute(NameOID.COMMON_NAME, what),
            ]
        )

    def usage(*, leaf: bool) -> x509.KeyUsage:
        return x509.KeyUsage(
            digital_signature=leaf,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=not leaf,
            crl_sign=not leaf,
            encipher_only=False,
            decipher_only=False,
        )

    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name = named("PonyStudio, a root of one machine")
    start = datetime.datetime.now(datetime.UTC).replace(microsecond=0) - datetime.timedelta(days=1)
    end = start + datetime.timedelta(days=365 * _YEARS)

    def certificate(
        subject: x509.Name, public: ec.EllipticCurvePublicKey, *, leaf: bool
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(root_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(not leaf, None), critical=True)
            .add_extension(usage(leaf=leaf), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()),
                critical=False,
            )
        )
        if leaf:
            purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(purposes, critical=False)
        return builder.sign(root_key, hashes.SHA256())

    chain = (
        certificate(named("PonyStudio on this machine"), key.public_key(), leaf=True),
        certificate(root_name, root_key.public_key(), leaf=False),
    )
    pem = serialization.Encoding.PEM
    return SigningIdentity(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        b"".join(each.public_bytes(pem) for each in chain),
    )


def _write_private(path: Path, data: bytes) -> None:
    """To a file that nobody else can read, from its first moment on; whole, and the first of two
    that are made at once stays. Raises OSError."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        if not path.exists():
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
