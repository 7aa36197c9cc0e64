"""Ed25519 keys of owners, hubs and laboratories: make, keep, load. Key ids are those of TUF (securesystemslib).

A private key file is PKCS#8 PEM, mode 0600, encrypted when a passphrase is given. A public key file is the PEM of its
SubjectPublicKeyInfo: safe to mail.
"""

from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from securesystemslib.signer import CryptoSigner, SSlibKey

from manyheads_shared.errors import SignatureError, UsageError
from manyheads_shared.files import write_atomic

PRIVATE_KEY_MODE = 0o600
PUBLIC_SUFFIX = ".pub"


@dataclass(frozen=True)
class KeyFiles:
    """A key pair on disk."""

    private: Path
    public: Path
    key: SSlibKey


def generate_key() -> CryptoSigner:
    """Make a new Ed25519 key pair."""
    return CryptoSigner.generate_ed25519()


def write_private_key(path: Path, signer: CryptoSigner, passphrase: str | None = None) -> None:
    """Write a private key as PKCS#8 PEM, readable by its owner only.

    Raises:
        UsageError: `path` exists; a key is never overwritten.
    """
    if path.exists():
        raise UsageError(f"{path} exists; a private key is never overwritten. Choose another path or move it away.")
    private = serialization.load_pem_private_key(signer.private_bytes, password=None)
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    write_atomic(path, pem, mode=PRIVATE_KEY_MODE)


def read_private_key(path: Path, passphrase: str | None = None) -> CryptoSigner:
    """Read a private key file.

    Raises:
        UsageError: no such file, not an Ed25519 key in PEM, or the passphrase is missing or wrong.
    """
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), password=passphrase.encode() if passphrase else None)
    except FileNotFoundError as error:
        raise UsageError(f"no key at {path}; make one with `key new {path}`") from error
    except OSError as error:
        raise UsageError(f"{path}: the key cannot be read: {error.strerror}") from error
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"{path}: expected an Ed25519 private key in PEM: {error}. "
            "If it is encrypted, set MANYHEADS_KEY_PASSPHRASE to its passphrase."
        ) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise UsageError(f"{path}: expected an Ed25519 key, got {type(private).__name__}")
    return CryptoSigner(private)


def make_key_files(path: Path, passphrase: str | None = None) -> KeyFiles:
    """Make a key pair: the private half at `path`, the public one beside it. A private key that is there gets its public half.

    Raises:
        UsageError: the public key exists; nothing is overwritten. Or the private one is there and cannot be read.
    """
    public = path.with_name(path.name + PUBLIC_SUFFIX)
    if public.exists():
        raise UsageError(f"{public} exists; a key is never overwritten. Choose another path or move it away.")
    if path.exists():  # a kill came between the two files, or the public one was lost
        signer = read_private_key(path, passphrase)
    else:
        signer = generate_key()
        write_private_key(path, signer, passphrase)
    write_atomic(public, public_pem(signer.public_key).encode())
    return KeyFiles(path, public, signer.public_key)


def read_public_half(path: Path, passphrase: str | None = None) -> SSlibKey:
    """Read the public key of a key file, private or public.

    Raises:
        UsageError: no such file, or it is neither.
        SignatureError: a public key, but not an Ed25519 one.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"no key at {path} ({error.strerror}); make one with `key new {path}`") from error
    if b"PUBLIC KEY" in data:
        return parse_public_key(data.decode("ascii", "replace"))
    return read_private_key(path, passphrase).public_key


def public_pem(key: SSlibKey) -> str:
    """Return the public key as PEM text."""
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.keyval["public"]))
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def parse_public_key(pem: str) -> SSlibKey:
    """Return the public key in a PEM text.

    Raises:
        SignatureError: it is not an Ed25519 public key in PEM.
    """
    try:
        public = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SignatureError(f"expected an Ed25519 public key in PEM, got {pem[:40]!r}: {error}") from error
    if not isinstance(public, Ed25519PublicKey):
        raise SignatureError(f"expected an Ed25519 public key, got {type(public).__name__}")
    return SSlibKey.from_crypto(public)
