"""The rendered configuration: what must be in it whatever the settings, and what may never get into it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from dialplan.asterisk.configuration import ConfigurationError, render
from runtime.settings import AgiSettings, AmiSettings, Settings, SwitchSettings


def made(**switch: object) -> dict[str, str]:
    settings = Settings(
        agi=AgiSettings(token=SecretStr("agi-token-1")),
        ami=AmiSettings(secret=SecretStr("ami-secret-1")),
        switch=SwitchSettings.model_validate(switch),
    )
    return render(settings)


def test_nothing_is_left_to_fill_in() -> None:
    for path, text in made().items():
        assert "@{" not in text, path
        assert "tollgate asterisk render" in text[:400], path


def test_entries_are_exact_patterns() -> None:
    dialplan = made(access_numbers=("+18005550100",))["tollgate-extensions.conf"]
    entries = re.findall(r"^exten => ([^,]+),1,Set\(TG_DNIS", dialplan, re.MULTILINE)
    assert entries == ["_1900NXXXXXX", "_+1900NXXXXXX", "+18005550100"]


def test_token_is_the_last_argument_of_every_turn() -> None:
    turns = re.findall(r"AGI\((.*)\)$", made()["tollgate-extensions.conf"], re.MULTILINE)
    assert len(turns) == 3
    assert all(turn.endswith(",agi-token-1") for turn in turns)


def test_dialplan_never_answers_a_caller() -> None:
    dialplan = made()["tollgate-extensions.conf"]
    answering = re.findall(r"^\[([^\]]+)\](?:(?!^\[).)*?Answer\(\)", dialplan, re.MULTILINE | re.DOTALL)
    assert answering == ["tollgate-watch", "tollgate-say"]  # on Local channels of the switch itself


def test_manager_user_has_the_least_rights() -> None:
    user = made()["manager.d/tollgate.conf"]
    assert "\nread = system,user\n" in user
    assert "\nwrite = call,reporting\n" in user
    assert "\ndeny = 0.0.0.0/0.0.0.0\npermit = 127.0.0.1/255.255.255.255\n" in user


def test_endpoint_keeps_hostile_names_out() -> None:
    pjsip = made()["tollgate-pjsip.conf"]
    for line in ("callerid = unset <000>", "trust_id_inbound = no", "direct_media = no", "send_connected_line = no"):
        assert f"\n{line}\n" in pjsip
    assert "softphone" not in pjsip
    assert "password = phone-secret" in made(softphone_secret="phone-secret")["tollgate-pjsip.conf"]


@pytest.mark.parametrize("path", ["logger.conf", "asterisk.conf"])
def test_digits_are_not_logged(path: str) -> None:
    live = [line for line in made()[path].splitlines() if not line.startswith(";")]
    assert not any(re.search(r"dtmf|verbose = [1-9]|verbose,|debug = [1-9]", line) for line in live)


def test_digits_are_no_events() -> None:
    disabled = next(line for line in made()["manager.conf"].splitlines() if line.startswith("disabledevents = "))
    assert {"DTMFBegin", "DTMFEnd"} <= set(disabled.removeprefix("disabledevents = ").split(","))


def test_secrets_are_needed() -> None:
    with pytest.raises(ConfigurationError, match=r"agi\.token"):
        render(Settings())


@given(st.text(min_size=1, max_size=40).filter(lambda text: not re.fullmatch(r"[0-9A-Za-z._:/\[\]-]+", text)))
def test_no_setting_writes_a_line_of_its_own(hostile: str) -> None:
    for name in ("trunk", "sip_bind", "network_host"):
        with pytest.raises(ConfigurationError):
            made(**{name: hostile})
    with pytest.raises(ConfigurationError):
        made(access_numbers=(hostile,))
