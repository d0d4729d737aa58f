"""Evidence as a file: an in-toto Statement with the test-result predicate, in a DSSE envelope.

Sources: in-toto attestation framework, Statement v1 and predicate `test-result` v0.1; DSSE v1.0.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError
from harness.models.gate import Claim, Evidence, Signature, Subject

if TYPE_CHECKING:
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import SSlibKey

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
PAYLOAD = "application/vnd.in-toto+json"
SUFFIX = ".dsse.json"

_CONFIGURATION = ("environment", "constraints", "image", "jar", "package")
"""Kinds of subjects that are the configuration of a test, in the words of the predicate."""


def statement(evidence: Evidence, subjects: Iterable[Subject], *, passed: bool) -> dict[str, Any]:
    """Return evidence as an in-toto Statement; what the predicate has no field for stands under `harness`."""
    every = list(subjects)
    good = [dag.dag_id for dag in evidence.dags if dag.verdict == "pass"]
    bad = [dag.dag_id for dag in evidence.dags if dag.verdict not in ("pass", None)]
    for one in evidence.collected:
        (good if one.outcome == "pass" else bad).append(f"requirement {one.requirement}")
    predicate = {
        "result": "PASSED" if passed else "FAILED",
        "configuration": [_descriptor(one) for one in every if one.kind in _CONFIGURATION],
        "passedTests": good,
        "failedTests": bad,
        "harness": evidence.model_dump(mode="json", by_alias=True),
    }
    head = {"_type": STATEMENT, "subject": [_descriptor(one) for one in every]}
    return {**head, "predicateType": PREDICATE, "predicate": predicate}


def _descriptor(subject: Subject) -> dict[str, Any]:
    return {"name": subject.name, "digest": {"sha256": subject.sha256}, "annotations": {"kind": subject.kind}}


def seal(said: dict[str, Any], keys: Sequence[Path] = ()) -> bytes:
    """Return a Statement in its envelope, signed with each of the private keys.

    Raises:
        ConfigError: a key cannot be used.
    """
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner

    envelope = Envelope(json.dumps(said, sort_keys=True).encode(), PAYLOAD, {})
    for path in keys:
        envelope.sign(CryptoSigner(_private(path)))
    return (json.dumps(envelope.to_dict(), indent=1) + "\n").encode()


def _private(path: Path) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"cannot be used as a private key: {error}", path=path, hint=_KEY_HINT) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError("is no Ed25519 key", path=path, hint=_KEY_HINT)
    return key


_KEY_HINT = "make one with `openssl genpkey -algorithm ed25519 -out release.key`"


def public_key(path: Path) -> SSlibKey:
    """Read a public key (PEM); that of a private key's file is taken as well.

    Raises:
        ConfigError: it cannot be read, or is of another kind.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey

    try:
        content = path.read_bytes()
        key = _private(path).public_key() if b"PRIVATE KEY" in content else load_pem_public_key(content)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"cannot be used as a public key: {error}", path=path, hint=_PUBLIC_HINT) from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError("is no Ed25519 key", path=path, hint=_PUBLIC_HINT)
    return SSlibKey.from_crypto(key)


_PUBLIC_HINT = "get it from the private key: `openssl pkey -in release.key -pubout -out release.pub`"


def open_claim(path: Path, keys: Sequence[Path] = ()) -> Claim:
    """Read an evidence file.

    Args:
        keys: public keys that may have signed it.

    Raises:
        ConfigError: it is no evidence; with what is wrong with it.
    """
    from pydantic import ValidationError

    envelope = _envelope(path)
    try:
        said = json.loads(envelope.payload)
        if said["_type"] != STATEMENT or said["predicateType"] != PREDICATE:
            raise ConfigError(f"is a {said['predicateType']}, not a {PREDICATE}", path=path)
        evidence = Evidence.model_validate(said["predicate"]["harness"])
        subjects = tuple(
            Subject(name=one["name"], kind=one["annotations"]["kind"], sha256=one["digest"]["sha256"])
            for one in said["subject"]
        )
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        words = " ".join(str(error).split())[:200]
        raise ConfigError(f"holds no evidence: {type(error).__name__}: {words}", path=path) from error
    return Claim(file=str(path), evidence=evidence, subjects=subjects, signature=_signature(envelope, keys))


def _envelope(path: Path) -> Envelope:
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import Error, FormatError

    try:
        return Envelope.from_dict(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, FormatError, Error) as error:
        raise ConfigError(
            f"is no signed envelope: {type(error).__name__}: {error}",
            path=path,
            hint=f"evidence is a file that `harness gate` wrote, *{SUFFIX}",
        ) from error


def _signature(envelope: Envelope, keys: Sequence[Path]) -> Signature:
    """Say who signed; one signature that does not fit spoils all others, since the content was changed after it."""
    from securesystemslib.exceptions import UnverifiedSignatureError

    if not envelope.signatures:
        return Signature()
    known = {key.keyid: (path, key) for path in keys for key in [public_key(path)]}
    verified = []
    for keyid, signature in envelope.signatures.items():
        if keyid in known:
            path, key = known[keyid]
            try:
                key.verify_signature(signature, envelope.pae())
            except UnverifiedSignatureError:
                return Signature(state="broken")
            verified.append(path.name)
    return Signature(state="verified" if verified else "unknown", keys=tuple(verified))
