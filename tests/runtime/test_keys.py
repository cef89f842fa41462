"""Keyed hashes and the file of their key."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.keys import (
    KeyFileError,
    Pepper,
    add_key,
    drop_standby,
    key_of,
    load_pepper,
    make_pepper,
    read_keys,
    use_last_key,
)

KEYS = [bytes([number]) * 32 for number in range(1, 6)]


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


def test_a_key_is_added_on_standby_and_put_in_use(tmp_path: Path) -> None:
    path = tmp_path / "pepper"
    make_pepper(path)
    path.chmod(0o640)
    running, one = load_pepper(path), load_pepper(path).digest("pin", "1")
    assert running.digests("pin", "1") == (one,)
    assert add_key(path) == 2
    assert (running.digest("pin", "1"), len(running.digests("pin", "1"))) == (one, 2)
    with pytest.raises(KeyFileError, match="standby already"):
        add_key(path)
    use_last_key(path)
    use_last_key(path)
    two = running.digest("pin", "1")
    assert running.digests("pin", "1") == (one, two) == load_pepper(path).digests("pin", "1")
    assert (key_of(one), key_of(two), len(two) <= 64) == (1, 2, True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [file.name for file in tmp_path.iterdir()] == ["pepper"]


def test_a_running_process_takes_no_other_keys(tmp_path: Path) -> None:
    path = tmp_path / "pepper"
    make_pepper(path)
    running = load_pepper(path)
    before = running.digest("pin", "1")
    for content in ("", "zz", "00", "11" * 32, f"{'11' * 32} standby"):
        path.write_text(content)
        assert running.digests("pin", "1") == (before,)
    path.unlink()
    assert running.digest("pin", "1") == before


def test_a_running_process_lets_go_of_a_key_that_was_on_standby(tmp_path: Path) -> None:
    path = tmp_path / "pepper"
    make_pepper(path)
    add_key(path)
    running = load_pepper(path)
    drop_standby(path)
    drop_standby(path)
    assert read_keys(path).standby is None
    # it may look at the file only when there is another one
    add_key(path)
    assert running.digests("pin", "1") == load_pepper(path).digests("pin", "1")
    use_last_key(path)
    assert running.digest("pin", "1") == load_pepper(path).digest("pin", "1")
    drop_standby(path)
    assert len(read_keys(path).keys) == 2, "it is in use"


@pytest.mark.parametrize("content", ["", "00" * 32 + " standby", f"{'00' * 32}\n{'00' * 32}", "00" * 32 + "\n01"])
def test_rings_that_cannot_be(tmp_path: Path, content: str) -> None:
    path = tmp_path / "pepper"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError):
        load_pepper(path)


@given(st.integers(1, 5), st.integers(1, 5), st.text(max_size=12), st.text(max_size=12))
def test_renewing_needs_no_secret_and_comes_out_the_same(first: int, last: int, secret: str, other: str) -> None:
    older, newer = Pepper(*KEYS, writing=min(first, last)), Pepper(*KEYS, writing=max(first, last))
    stored = older.digest("pin", secret)
    renewed = newer.renewed(stored)
    assert renewed == newer.digest("pin", secret) == newer.renewed(renewed)
    assert older.renewed(renewed) == renewed, "never back to an older key"
    assert older.newest(stored) == newer.newest(renewed) == Pepper(*KEYS).digest("pin", secret)
    assert [key_of(one) for one in older.digests("pin", secret)] == [1, 2, 3, 4, 5]
    assert older.is_digest(renewed, "pin", secret)
    assert older.is_digest(renewed, "pin", other) is (secret == other)
    assert not older.is_digest(None, "pin", secret)


@pytest.mark.parametrize("stored", ["", "zz" * 32, "6:" + "A" * 43, "2:AA", "2:" + "!" * 43, "x:1", "0:1", "-1:1"])
def test_what_is_no_hash_of_ours_is_a_fault(stored: str) -> None:
    with pytest.raises(KeyFileError):
        Pepper(*KEYS).renewed(stored)
