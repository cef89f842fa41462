"""Settings: where they come from, what is refused, and what may be shown of them."""

from pathlib import Path

import pytest

from runtime import command_configuration, settings
from tests.terminal import Terminal


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings but those of the test."""
    import os

    for name in [name for name in os.environ if name.startswith("TOLLGATE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def terminal() -> Terminal:
    """The configuration commands."""
    return Terminal(command_configuration.attach)


def test_environment_over_file_over_default(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("tollgate.toml").write_text('[agi]\nport = 4000\nhost = "127.0.0.2"\n')
    monkeypatch.setenv("TOLLGATE_AGI__PORT", "5000")
    found = settings.load_settings()
    assert (found.agi.port, found.agi.host, found.ami.port) == (5000, "127.0.0.2", 5038)


def test_a_named_file_is_read_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("tollgate.toml").write_text("[agi]\nport = 1\n")
    Path("other.toml").write_text("[agi]\nport = 2\n")
    monkeypatch.setenv("TOLLGATE_CONFIG", "other.toml")
    assert settings.load_settings().agi.port == 2
    monkeypatch.setenv("TOLLGATE_CONFIG", "none.toml")
    with pytest.raises(settings.SettingsError, match=r"none\.toml, which is not there"):
        settings.load_settings()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[agi]\nprot = 1\n", r"agi\.prot: unknown setting .*tollgate\.toml"),
        ("[nonsense]\nx = 1\n", r"nonsense: unknown setting"),
        ("[agi]\nport = 70000\n", r"agi\.port: .*65535"),
        ("[call]\nhome_country = 'usa'\n", r"call\.home_country: "),
        ("[agi\n", r"tollgate\.toml: "),
        ("[vendor]\njson_person_url = 'http://b.example/p'\n", r"vendor\.json_person_url: not an https:// address"),
        ("[vendor]\njson_url = 'http://localhost.example/p'\n", r"vendor\.json_url: not an https:// address"),
        ("[vendor]\ntwilio_url = 'ftp://127.0.0.1'\n", r"vendor\.twilio_url: not an https:// address"),
        ("[vendor]\njson_credit_url = 'https://b.example/{national_id}'\n", r"vendor\.json_credit_url: only {ani"),
        ("[vendor]\njson_query = {n = '{birth_on}'}\n", r"vendor\.json_query: only {ani}, {digits} may"),
        ("[vendor]\njson_person_query = {s = '{national_id}'}\n", r"json_person_query: {birth_on} is not sent"),
        ("[vendor]\njson_person_query = {s = '{national_id} {ssn}'}\n", r"json_person_query: only {ani}, {birth_on}"),
        (
            "[vendor]\njson_fields = {birth_on = ''}\njson_person_url = 'https://b.example/p'\n",
            r"vendor\.json_person_url: vendor\.json_fields does not say where birth_on stands",
        ),
        (
            "[vendor]\njson_fields = {credit_score = ''}\njson_credit_url = 'https://b.example/p'\n",
            r"vendor\.json_credit_url: vendor\.json_fields does not say where credit_score stands",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(text: str, named: str, terminal: Terminal) -> None:
    Path("tollgate.toml").write_text(text)
    with pytest.raises(settings.SettingsError, match=named):
        settings.load_settings()
    for words in (("config", "check"), ("config", "show")):
        assert terminal.run(*words).code == 1


def test_a_vendor_may_be_asked_over_tls_or_on_this_machine() -> None:
    for url in ("https://b.example/{digits}", "http://127.0.0.1:8080/p", "http://[::1]/p", "http://localhost/p", ""):
        Path("tollgate.toml").write_text(f"[vendor]\njson_person_url = '{url}'\njson_credit_url = '{url}'\n")
        assert settings.load_settings().vendor.json_person_url == url


def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLGATE_AGI__PROT", "1")
    with pytest.raises(settings.SettingsError, match="TOLLGATE_AGI__PROT: unknown setting"):
        settings.load_settings()


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch, terminal: Terminal) -> None:
    monkeypatch.setenv("TOLLGATE_AMI__SECRET", "hidden-one")
    monkeypatch.setenv("TOLLGATE_DATABASE__URL", "postgresql://me:hidden-two@db/x")
    shown = terminal.must("config", "show", "--json").document
    assert shown["file"] is None
    assert shown["settings"]["ami.secret"] == "***"
    assert shown["settings"]["agi.token"] == ""
    assert shown["settings"]["database.url"] == "postgresql://me:***@db/x"
    assert "hidden" not in terminal.must("config", "show").out
    assert "hidden" not in repr(settings.load_settings().ami)


def test_a_bad_secret_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLGATE_AMI__PORT", "hidden")
    with pytest.raises(settings.SettingsError) as caught:
        settings.load_settings()
    assert "hidden" not in str(caught.value)


def test_show_names_the_file(terminal: Terminal) -> None:
    Path("tollgate.toml").write_text("[agi]\nport = 4000\n")
    lines = terminal.must("config", "show").out.splitlines()
    assert lines[:2] == ["setting\tvalue", "file\ttollgate.toml"]
    assert "agi.port\t4000" in lines
    assert "tollgate.toml" in terminal.must("config", "check").out


def test_every_setting_has_a_variable_and_a_meaning(terminal: Terminal) -> None:
    known = list(settings.known_settings())
    assert {row.section for row in known} == set(settings.Settings.model_fields)
    assert [f"{row.section}.{row.key}" for row in known if not row.description] == []
    listed = terminal.must("config", "env", "--json").document
    assert set(listed) == {row.variable for row in known}
