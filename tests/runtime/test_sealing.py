"""Sealed values are opened where they were sealed, by who has the key, and nowhere else."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.keys import KeyFileError, Pepper, key_of
from runtime.sealing import Place, SealedValueError, open_sealed, seal

KEYS = [bytes([number]) * 32 for number in range(1, 4)]
HERE = Place("table", "column", ("7", "+12125550100"))
TEXTS = st.text(max_size=20)
PLACES = st.builds(Place, TEXTS, TEXTS, st.lists(TEXTS, max_size=3).map(tuple))


@given(st.text(max_size=200), PLACES, st.integers(1, 3))
def test_what_was_sealed_is_opened_again(value: str, place: Place, key_id: int) -> None:
    stored = seal(Pepper(*KEYS, writing=key_id), place, value)
    assert key_of(stored) == key_id
    assert open_sealed(Pepper(*KEYS), place, stored) == value
    assert stored != seal(Pepper(*KEYS, writing=key_id), place, value), "another nonce each time"


@given(PLACES, PLACES)
def test_a_value_that_was_moved_is_refused(one: Place, other: Place) -> None:
    stored = seal(Pepper(*KEYS), one, "1980-05-01")
    if one == other:
        assert open_sealed(Pepper(*KEYS), other, stored) == "1980-05-01"
    else:
        with pytest.raises(SealedValueError, match="moved"):
            open_sealed(Pepper(*KEYS), other, stored)


@given(st.data())
def test_a_value_that_was_edited_is_refused(data: st.DataObject) -> None:
    number, _, text = seal(Pepper(*KEYS), HERE, "1980-05-01").partition(":")
    raw = bytearray(base64.urlsafe_b64decode(text))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealedValueError) as refused:
        open_sealed(Pepper(*KEYS), HERE, f"{number}:{base64.urlsafe_b64encode(raw).decode()}")
    assert "1980" not in str(refused.value)


@pytest.mark.parametrize("stored", ["", "1980-05-01", "1:", "0:AAAA", "1:AAAA", "1:!!!!", "-1:" + "A" * 60, "A" * 64])
def test_what_is_no_seal_is_refused(stored: str) -> None:
    with pytest.raises(SealedValueError):
        open_sealed(Pepper(*KEYS), HERE, stored)


def test_the_key_is_needed() -> None:
    stored = seal(Pepper(*KEYS[:2]), HERE, "71000042")
    assert "71000042" not in stored
    with pytest.raises(KeyFileError, match="key 2"):
        open_sealed(Pepper(KEYS[0]), HERE, stored)
    with pytest.raises(SealedValueError):
        open_sealed(Pepper(KEYS[0], KEYS[2]), HERE, stored)
    with pytest.raises(SealedValueError):
        open_sealed(Pepper(*KEYS), HERE, f"1:{stored.partition(':')[2]}")
