"""Keyed hashes and the file of their key."""

import stat
from pathlib import Path

import pytest

from runtime.keys import KeyFileError, Pepper, load_pepper, make_pepper


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "pepper"
    assert make_pepper(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    assert not make_pepper(path)
    assert path.read_bytes() == before
    assert load_pepper(path).digest("pin", "1") == load_pepper(path).digest("pin", "1")


@pytest.mark.parametrize(("content", "why"), [("00" * 31, "31 bytes"), ("zz", "not a key"), ("é", "not a key")])
def test_a_bad_key_is_refused(tmp_path: Path, content: str, why: str) -> None:
    path = tmp_path / "pepper"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=why):
        load_pepper(path)


def test_a_key_that_is_missing_or_open_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pepper"
    with pytest.raises(KeyFileError, match="tollgate db upgrade"):
        load_pepper(path)
    make_pepper(path)
    path.chmod(0o604)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_pepper(path)


def test_kinds_parts_and_keys_are_kept_apart() -> None:
    one, two = Pepper(bytes(32)), Pepper(bytes([1]) * 32)
    digests = {
        one.digest("pin", "12"),
        one.digest("code", "12"),
        one.digest("pin", "1", "2"),
        two.digest("pin", "12"),
    }
    assert len(digests) == 4
    assert repr(one) == "Pepper(***)"
