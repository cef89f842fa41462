"""Logs: one JSON object a line, and never a secret."""

import io
import logging
from contextlib import redirect_stderr

import orjson
import pytest

from runtime import logs

pytestmark = pytest.mark.usefixtures("logs_as_they_were")


def _logged(**event: object) -> dict[str, object]:
    stream = io.StringIO()
    with redirect_stderr(stream):
        logs.set_up_logs("info", "json")
        logs.get_logger("test").info("happened", **event)
    found: dict[str, object] = orjson.loads(stream.getvalue())
    return found


@pytest.mark.parametrize("key", sorted(logs.SECRET_KEYS))
def test_secrets_are_masked_by_name(key: str) -> None:
    assert _logged(**{key: "1234"})[key] == "***"


@pytest.mark.parametrize("text", ["keyed 12345678 wrong", "ssn 123456789"])
def test_long_digits_are_masked_anywhere(text: str) -> None:
    assert not any(mark.isdigit() for mark in str(_logged(note=text)["note"]))


def test_a_line_names_room_level_and_time() -> None:
    line = _logged(call="0195a1b2c3d4")
    assert (line["room"], line["level"], line["event"], line["call"]) == ("test", "info", "happened", "0195a1b2c3d4")
    assert str(line["timestamp"]).endswith("Z")


@pytest.mark.parametrize(("number", "shown"), [("+12125550100", "+1212555xxxx"), ("911", "xxxx"), ("", "xxxx")])
def test_numbers_lose_their_end(number: str, shown: str) -> None:
    assert logs.mask_number(number) == shown


@pytest.mark.parametrize("level", ["debug", "info"])
def test_libraries_pass_the_mask_and_those_that_write_requests_are_silent(level: str) -> None:
    stream = io.StringIO()
    logging.getLogger().handlers.clear()
    with redirect_stderr(stream):
        logs.set_up_logs(level, "json")
        logs.set_up_logs(level, "json")
        for name in (*logs.SILENT, "httpcore2.http11", "twilio.http_client", "urllib3.connectionpool"):
            logging.getLogger(name).setLevel(logging.DEBUG if "." in name else logging.getLogger(name).level)
            logging.getLogger(name).critical("GET ?NationalId=6789")
        logging.getLogger("panoramisk.manager").info("Adding action login")
        logging.getLogger("other").info("number %s of %s", "987654321", 4)
        logging.getLogger("other").error("no %d", "6789")
        try:
            int("x123456789")
        except ValueError:
            logging.getLogger("other").exception("failed")
    lines = stream.getvalue().splitlines()
    assert lines[:3] == ["INFO other number *** of 4", "ERROR other a record that cannot be read", "ERROR other failed"]
    assert lines[-1] == "ValueError: invalid literal for int() with base 10: 'x***'"
