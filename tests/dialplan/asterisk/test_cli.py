"""`tollgate asterisk` as it is typed."""

from pathlib import Path

import pytest

from dialplan import cli
from tests.terminal import Terminal


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Terminal:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOLLGATE_AGI__TOKEN", "agi-token-1")
    monkeypatch.setenv("TOLLGATE_AMI__SECRET", "ami-secret-1")
    monkeypatch.setenv("TOLLGATE_AMI__PORT", "1")
    return Terminal(cli.attach)


def test_render_writes_what_is_included_and_says_so(terminal: Terminal, tmp_path: Path) -> None:
    rehearsed = terminal.must("asterisk", "render", "etc", "--dry-run", "--json").document
    assert rehearsed["files"] == dict.fromkeys(sorted(cli.INCLUDED), "new")
    assert not (tmp_path / "etc").exists()
    assert terminal.must("asterisk", "render", "etc").out.splitlines()[-3:] == [
        'In extensions.conf: #include "tollgate-extensions.conf"   in pjsip.conf: #include "tollgate-pjsip.conf"',
        'In manager.conf: enabled=yes, timestampevents=yes, #include "manager.d/*.conf"',
        'Then: asterisk -rx "core reload"',
    ]
    assert (tmp_path / "etc/manager.d/tollgate.conf").stat().st_mode & 0o007 == 0
    again = terminal.must("asterisk", "render", "etc", "--json").document
    assert set(again["files"].values()) == {"same"}


def test_render_for_signed_calls(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLGATE_SWITCH__STIR_SHAKEN_CA_FILE", "/etc/asterisk/signers.pem")
    said = terminal.must("asterisk", "render", "etc").out.splitlines()
    assert 'In stir_shaken.conf: #include "tollgate-stir-shaken.conf"' in said
    text = (tmp_path / "etc/tollgate-stir-shaken.conf").read_text()
    assert "\nca_file = /etc/asterisk/signers.pem\n" in text
    assert "\nmax_iat_age = 15\n" in text
    assert "relax" not in text
    assert "permit" not in text
    assert "\nstir_shaken_profile = tollgate-signed\n" in (tmp_path / "etc/tollgate-pjsip.conf").read_text()
    terminal.must("asterisk", "render", "etc", "--whole")
    assert "\nload = res_pjsip_stir_shaken.so\n" in (tmp_path / "etc/modules.conf").read_text()
    assert (tmp_path / "etc/stir_shaken.conf").exists()


def test_render_leaves_alone_what_is_not_its_own(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/pjsip.conf").write_text("[mine]\n")
    answer = terminal.run("asterisk", "render", "etc", "--whole", "--json")
    assert answer.code == 4
    assert answer.document["files"]["pjsip.conf"] == "foreign"
    assert (tmp_path / "etc/pjsip.conf").read_text() == "[mine]\n"
    assert (tmp_path / "etc/asterisk.conf").exists()
    terminal.must("asterisk", "render", "etc", "--whole", "--force")
    assert "[mine]" not in (tmp_path / "etc/pjsip.conf").read_text()


def test_render_names_the_setting_that_cannot_be(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLGATE_AGI__TOKEN", "a,b\nc")
    answer = terminal.run("asterisk", "render", "etc")
    assert answer.code == 2
    assert "agi.token" in answer.err
    assert "a,b" not in answer.err + answer.out


def test_check_without_a_switch(terminal: Terminal) -> None:
    answer = terminal.run("asterisk", "check", "--json")
    assert answer.code == 75
    bad = [one["name"] for one in answer.document["findings"] if not one["good"]]
    assert bad[0] == "manager"
