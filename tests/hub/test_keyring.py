from pathlib import Path

import pytest

from manyheads_hub.signing.keyring import PLANS, Keyring, MissingKeysError, create_keys, public_path
from manyheads_shared.errors import UsageError


def test_root_takes_two_of_three_keys_and_targets_both_of_two(tmp_path: Path) -> None:
    keyring = create_keys(tmp_path)
    assert {name: (len(keyring.signers(name)), plan.threshold) for name, plan in PLANS.items()} == {
        "root": (3, 2),
        "targets": (2, 2),
        "snapshot": (1, 1),
        "timestamp": (1, 1),
        "evaluation": (1, 1),
    }


def test_no_two_keys_are_the_same(tmp_path: Path) -> None:
    keyring = create_keys(tmp_path)
    ids = [key.keyid for name in PLANS for key in keyring.public_keys(name)]
    assert len(ids) == len(set(ids)) == 8


def test_private_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    keyring = create_keys(tmp_path)
    paths = [path for name in PLANS for path in keyring.paths(name)]
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    assert {path.parent.stat().st_mode & 0o777 for path in paths} == {0o700}


def test_a_passphrase_encrypts_every_private_key(tmp_path: Path) -> None:
    keyring = create_keys(tmp_path, "open sesame")
    assert all(b"ENCRYPTED" in path.read_bytes() for name in PLANS for path in keyring.paths(name))
    assert Keyring(tmp_path, "open sesame").evaluation_signer().public_key.keyid == keyring.evaluation_key().keyid
    with pytest.raises(UsageError, match="MANYHEADS_KEY_PASSPHRASE"):
        Keyring(tmp_path).evaluation_signer()


def test_a_creation_that_was_killed_is_finished_by_the_next_and_keeps_its_keys(tmp_path: Path) -> None:
    before = create_keys(tmp_path).public_keys("root")
    Keyring(tmp_path).paths("timestamp")[0].unlink()
    public_path(Keyring(tmp_path).paths("targets")[0]).unlink()
    keyring = create_keys(tmp_path)
    assert keyring.public_keys("root") == before
    assert all(keyring.signers(name) for name in PLANS)


def test_one_root_key_may_be_lost(tmp_path: Path) -> None:
    keyring = create_keys(tmp_path)
    keyring.paths("root")[1].unlink()
    assert len(keyring.signers("root")) == 2


def test_one_root_key_may_be_damaged_and_one_targets_key_may_not(tmp_path: Path) -> None:
    keyring = create_keys(tmp_path)
    for name in ("root", "targets"):
        keyring.paths(name)[0].write_bytes(b"garbage")
    assert len(keyring.signers("root")) == 2
    with pytest.raises(UsageError, match="targets-1: expected an Ed25519 private key"):
        keyring.signers("targets")


def test_a_folder_that_cannot_be_looked_into_holds_no_keys(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / ("k" * 300))  # a name no file system takes; as bad as a folder of another user
    assert keyring.private_key_ids("root") == set()
    with pytest.raises(MissingKeysError, match="found 0"):
        keyring.signers("root")


def test_absent_offline_keys_are_named_and_hinder_no_online_signature(tmp_path: Path) -> None:
    keyring = create_keys(tmp_path / "keys")
    (tmp_path / "keys" / "offline").rename(tmp_path / "safe")
    with pytest.raises(MissingKeysError, match=r"expected 2 private targets keys .* found 0. Bring the offline keys back"):
        keyring.signers("targets")
    assert keyring.signers("timestamp")
    assert keyring.evaluation_signer()
