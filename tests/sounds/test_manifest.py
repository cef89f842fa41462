"""The manifest is well formed, and a bad one is refused by name."""

import re

import pytest

from sounds.manifest import ManifestError, load_manifest, parse_manifest, played

MANIFEST = load_manifest()

NEEDED = """
    welcome preamble-calling preamble-content enter-pin pin-wrong enter-access-code access-code-wrong
    enter-ssn-last-four ssn-not-matched age-not-proven too-many-attempts locked-out your-pin-is write-it-down
    enter-destination destination-not-valid destination-blocked destination-not-priced your-balance-is the-price-is
    per-minute connect-fee-is you-have connecting and hour cents less-than-one-cent minute-left minutes-left
    seconds-left time-is-over balance-used-up line-blocked-by-subscriber line-blocked-by-operator line-minor
    line-wrong-party line-over-threshold line-inactive line-in-collections line-in-dispute line-chargeback
    line-not-identified number-withheld number-malformed month-cap-reached session-cap-reached account-closed
    account-suspended no-credit account-busy busy no-answer congestion unallocated rejected unavailable
    service-unknown apology goodbye try-again nothing-keyed thank-you
"""


def test_the_manifest_has_what_a_call_needs() -> None:
    assert set(NEEDED.split()) <= set(MANIFEST.ids)
    assert "en" in MANIFEST.languages


@pytest.mark.parametrize("language", MANIFEST.languages)
def test_every_language_carries_every_id(language: str) -> None:
    assert set(MANIFEST.texts(language)) == set(MANIFEST.ids)


@pytest.mark.parametrize(("prompt_id", "text"), MANIFEST.texts("en").items())
def test_an_english_prompt_is_plain_short_text(prompt_id: str, text: str) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", prompt_id)
    assert text.isascii()
    assert text == text.strip() != ""
    assert len(text) <= 120
    assert not re.search(r"\d", text), "numbers are played from the core sounds or written as words"


def test_no_two_prompts_share_a_file_on_a_disk_without_case() -> None:
    assert len({prompt_id.lower() for prompt_id in MANIFEST.ids}) == len(MANIFEST.ids)


def test_a_failed_age_check_does_not_say_what_matched() -> None:
    words = set(re.findall(r"[a-z]+", MANIFEST.texts("en")["age-not-proven"].lower()))
    assert not words & {"age", "old", "young", "birth", "name", "address", "social", "security", "number", "match"}


def test_names_are_what_asterisk_plays() -> None:
    assert played("enter-pin") == "tollgate/enter-pin"
    assert MANIFEST.names == {f"tollgate/{prompt_id}" for prompt_id in MANIFEST.ids}


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("", "no language"),
        ("[en]", "en: no prompts"),
        ("en = 1", "en: no prompts"),
        ("[english]\na = 'A.'", "english: not a language code"),
        ("[en]\nEnter_Pin = 'A.'", "en.Enter_Pin: not a kebab-case id"),
        ("[en]\n'../pin' = 'A.'", "not a kebab-case id"),
        ("[en]\na- = 'A.'", "not a kebab-case id"),
        ("[en]\na = ''", "en.a: no text"),
        ("[en]\na = 5", "en.a: no text"),
        ("[en]\na = ' A.'", "en.a: text has outer spaces"),
        ('[en]\na = "A\\nB"', "control characters"),
        ("[en]\na = 'A.'\na = 'B.'", "not TOML"),
        ("[en]\na = 'A.'\nb = 'B.'\n[es]\na = 'A.'", "es.b: missing"),
    ],
)
def test_a_bad_manifest_is_refused_by_name(source: str, fault: str) -> None:
    with pytest.raises(ManifestError, match=re.escape(fault)):
        parse_manifest(source)


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(ManifestError, match=r"en\.A: .*; en\.b: no text"):
        parse_manifest("[en]\nA = 'A.'\nb = ''")


def test_an_unknown_language_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        MANIFEST.texts("xx")
