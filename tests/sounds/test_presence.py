"""Sound files that a switch has and has not."""

from pathlib import Path

import pytest

from sounds.core import CORE_SOUNDS
from sounds.presence import directories_in, mend_missing, missing_sounds, needed_sounds, some_of


@pytest.fixture
def english(tmp_path: Path) -> Path:
    """All that is needed, in formats as they come."""
    where = tmp_path / "sounds/en"
    for number, name in enumerate(sorted(needed_sounds())):
        path = where / f"{name}.{('gsm', 'wav', 'ulaw')[number % 3]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return where


def test_nothing_is_missing_where_all_is_there(tmp_path: Path, english: Path) -> None:
    assert missing_sounds(needed_sounds(), directories_in(str(tmp_path))) == ()
    assert missing_sounds(needed_sounds(), (tmp_path / "nowhere", english)) == ()


@pytest.mark.parametrize("name", ["tollgate/the-price-is", "digits/7", "letters/plus", "minutes"])
def test_one_that_is_missing_is_named(english: Path, name: str) -> None:
    (path,) = english.glob(f"{name}.*")
    path.unlink()
    assert missing_sounds(needed_sounds(), (english,)) == (name,)
    path.symlink_to("nowhere")
    assert missing_sounds(needed_sounds(), (english,)) == (name,), "a link that leads nowhere is no file"


def test_two_directories_make_one(tmp_path: Path, english: Path) -> None:
    other = tmp_path / "prompts"
    other.mkdir()
    (english / "tollgate").rename(other / "tollgate")
    assert missing_sounds(needed_sounds(), (other, english)) == ()
    assert missing_sounds(needed_sounds(), (other,)) == tuple(sorted(CORE_SOUNDS))


def test_what_cannot_be_read_is_not_taken_for_empty(tmp_path: Path) -> None:
    assert missing_sounds(needed_sounds(), (tmp_path / "nowhere",)) is None


def test_what_to_do_is_said_of_what_is_missing() -> None:
    assert "asterisk-core-sounds-en" in mend_missing(["minutes"])
    assert "sounds.build" not in mend_missing(["minutes"])
    assert "core-sounds" not in mend_missing(["tollgate/goodbye"])
    assert mend_missing(["tollgate/goodbye", "minutes"]).count(";") == 1
    assert some_of("abcdefg") == "a, b, c, d, e ..."
