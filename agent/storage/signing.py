"""The key of this installation, and signatures with it (ed25519). The key is never in a session, sandbox or bundle.

Not here: which data are signed (publishing/signatures.py and log.py).
"""

from __future__ import annotations

import base64
import hashlib
import os
from contextlib import suppress
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.storage import foreign
from agent.storage.atomic import sync_folder

VARIABLE = "EXPERIMENT_RUNNER_KEYS"  # names another folder for the key
FILE = "signing-key.pem"
LENGTH = 86  # characters of a signature
_PURPOSE = b"experiment-runner/1/"


class SigningKey:
    """protocols.Signer with an ed25519 key, given as PEM."""

    def __init__(self, pem: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

        key = load_pem_private_key(pem, None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("not an ed25519 key")
        self._key = key
        self.public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.public)

    def sign(self, purpose: str, data: bytes) -> str:
        """A signature of LENGTH characters.

        It holds only for the same `purpose`, e.g. not for an event and a record.
        """
        return base64.urlsafe_b64encode(self._key.sign(_message(purpose, data))).decode().rstrip("=")


def holds(public: str, signature: str, purpose: str, data: bytes) -> bool:
    """Whether the owner of this public key signed these bytes for this purpose."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        raw = base64.b64decode(f"{signature}==", altchars=b"-_", validate=True)
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(raw, _message(purpose, data))
    except (InvalidSignature, ValueError):
        return False
    return True


def fingerprint(public: str) -> str:
    """32 hex digits that name a public key, for people to compare."""
    return hashlib.sha256(bytes.fromhex(public)).hexdigest()[:32]


def own_signer() -> SigningKey:
    """This installation's key. It is made if there is none yet.

    Raises:
        InfrastructureError: it cannot be made or read, or other users may read it.
    """
    folder = keys_folder()
    path = folder / FILE
    try:
        if not os.path.lexists(path):
            _make(folder, path)
        if os.stat(path, follow_symlinks=False).st_mode & 0o077:
            raise InfrastructureError(f"{path}: others may read this installation's signing key; chmod 600 it")
        return SigningKey(foreign.read_file(path, 4096))
    except OSError as error:
        raise InfrastructureError(
            f"{path}: the key that signs results cannot be kept there ({error.strerror}); name another folder in "
            f"{VARIABLE}"
        ) from None
    except (foreign.Foreign, ValueError, TypeError) as error:
        raise InfrastructureError(
            f"{path}: is not a signing key ({error}); restore it, or remove it for a new one"
        ) from None


def own_public() -> str:
    """The public key, in hex; "" if there is no key yet. None is made."""
    try:
        return own_signer().public if os.path.lexists(keys_folder() / FILE) else ""
    except InfrastructureError:
        return ""


def _message(purpose: str, data: bytes) -> bytes:
    return _PURPOSE + purpose.encode() + b"\n" + data


def keys_folder() -> Path:
    """The folder of this installation's key, which need not exist yet."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen)
    data = os.environ.get("XDG_DATA_HOME")
    return Path(data or Path.home() / ".local/share") / "experiment-runner"


def _make(folder: Path, path: Path) -> None:
    """Make the key. It is linked into place, so that of two processes at once both use the key of the first."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    beside = folder / f".{FILE}.{os.getpid()}"
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fchmod(file.fileno(), 0o600)
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(beside, path)
    finally:
        beside.unlink()
    sync_folder(folder)
