import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from securesystemslib.signer import CryptoSigner

from manyheads_shared.errors import SignatureError, UsageError
from manyheads_shared.keys import generate_key, parse_public_key, public_pem, read_private_key, write_private_key


@pytest.fixture
def signer() -> CryptoSigner:
    return generate_key()


@pytest.mark.parametrize("passphrase", [None, "correct horse ü"])
def test_a_key_is_read_as_it_was_written(tmp_path: Path, signer: CryptoSigner, passphrase: str | None) -> None:
    write_private_key(tmp_path / "owner", signer, passphrase)
    again = read_private_key(tmp_path / "owner", passphrase)

    assert again.public_key.keyid == signer.public_key.keyid
    signer.public_key.verify_signature(again.sign(b"data"), b"data")


def test_a_private_key_is_for_its_owner_only(tmp_path: Path, signer: CryptoSigner) -> None:
    write_private_key(tmp_path / "owner", signer)

    assert stat.S_IMODE((tmp_path / "owner").stat().st_mode) == 0o600


def test_a_key_is_never_overwritten(tmp_path: Path, signer: CryptoSigner) -> None:
    write_private_key(tmp_path / "owner", signer)
    before = (tmp_path / "owner").read_bytes()

    with pytest.raises(UsageError, match="never overwritten"):
        write_private_key(tmp_path / "owner", generate_key())
    assert (tmp_path / "owner").read_bytes() == before


def test_a_passphrase_keeps_the_key_from_being_read(tmp_path: Path, signer: CryptoSigner) -> None:
    write_private_key(tmp_path / "owner", signer, "secret")

    assert b"ENCRYPTED" in (tmp_path / "owner").read_bytes()
    for wrong in (None, "Secret"):
        with pytest.raises(UsageError, match="MANYHEADS_KEY_PASSPHRASE"):
            read_private_key(tmp_path / "owner", wrong)


def test_an_absent_key_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="make one with `key new"):
        read_private_key(tmp_path / "owner")


def test_a_folder_is_no_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_private_key(tmp_path)


@pytest.mark.parametrize("data", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "owner").write_bytes(data)

    with pytest.raises(UsageError, match="Ed25519 private key in PEM"):
        read_private_key(tmp_path / "owner")


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (tmp_path / "owner").write_bytes(private.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))

    with pytest.raises(UsageError, match="expected an Ed25519 key"):
        read_private_key(tmp_path / "owner")


def test_a_public_key_is_read_as_it_was_written(signer: CryptoSigner) -> None:
    key = parse_public_key(public_pem(signer.public_key))

    assert key.keyid == signer.public_key.keyid
    assert public_pem(key) == public_pem(signer.public_key)


def _rsa_pem() -> str:
    public = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


PEMS = {
    "nothing": "",
    "text": "hello",
    "a lone surrogate": "\ud800",
    "a kind nobody knows": "-----BEGIN PUBLIC KEY-----\nMAwwBQYDK2VzAwMAqrs=\n-----END PUBLIC KEY-----\n",
    "RSA": _rsa_pem(),
}


@pytest.mark.parametrize("case", PEMS)
def test_a_pem_that_is_no_ed25519_key_is_refused(case: str) -> None:
    with pytest.raises(SignatureError, match="expected an Ed25519 public key"):
        parse_public_key(PEMS[case])


def test_a_private_key_is_not_taken_for_a_public_one(tmp_path: Path, signer: CryptoSigner) -> None:
    write_private_key(tmp_path / "owner", signer)

    with pytest.raises(SignatureError):
        parse_public_key((tmp_path / "owner").read_text())
