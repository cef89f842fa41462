"""The manifest of prompts: which ids exist, and what each says in each language."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

MANIFEST_PATH = Path(__file__).with_name("prompts.toml")
FOLDER = "tollgate"

_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_LANGUAGE = re.compile(r"[a-z]{2}(?:_[A-Z]{2})?")


class ManifestError(ValueError):
    """The manifest is not well formed; the message names every fault found."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Language code -> prompt id -> text. Every language carries the same ids, in the order of the file."""

    languages: Mapping[str, Mapping[str, str]]

    @property
    def ids(self) -> tuple[str, ...]:
        """The prompt ids, without the `tollgate/` folder."""
        return tuple(next(iter(self.languages.values())))

    @property
    def names(self) -> frozenset[str]:
        """The names as they are played: `tollgate/<id>`."""
        return frozenset(played(prompt_id) for prompt_id in self.ids)

    def texts(self, language: str) -> Mapping[str, str]:
        """Prompt id -> text. Raises KeyError where the manifest has no such language."""
        return self.languages[language]


def played(prompt_id: str) -> str:
    """The name that Asterisk plays for a prompt id, without language and extension."""
    return f"{FOLDER}/{prompt_id}"


def load_manifest(path: Path = MANIFEST_PATH) -> Manifest:
    """Read and check the manifest (UTF-8 TOML). Raises ManifestError, or OSError where it cannot be read."""
    return parse_manifest(path.read_text(encoding="utf-8"))


def parse_manifest(source: str) -> Manifest:
    """Check TOML text and make it a manifest. A repeated id is a TOML fault. Raises ManifestError."""
    try:
        document = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise ManifestError(f"not TOML: {error}") from error
    if faults := tuple(_faults(document)):
        raise ManifestError("; ".join(faults))
    return Manifest(MappingProxyType({code: MappingProxyType(section) for code, section in document.items()}))


def _faults(document: Mapping[str, object]) -> list[str]:
    if not document:
        return ["no language"]
    faults: list[str] = []
    ids_of: dict[str, set[str]] = {}
    for language, section in document.items():
        if not _LANGUAGE.fullmatch(language):
            faults.append(f"{language}: not a language code such as en or en_US")
        if not isinstance(section, Mapping) or not section:
            faults.append(f"{language}: no prompts")
            continue
        ids_of[language] = set(section)
        faults += [f"{language}.{prompt_id}: {fault}" for prompt_id, fault in _prompt_faults(section)]
    every_id: set[str] = set().union(*ids_of.values())
    for language, ids in ids_of.items():
        faults += [f"{language}.{prompt_id}: missing" for prompt_id in sorted(every_id - ids)]
    return faults


def _prompt_faults(section: Mapping[str, object]) -> list[tuple[str, str]]:
    faults: list[tuple[str, str]] = []
    for prompt_id, text in section.items():
        if not _ID.fullmatch(prompt_id):
            faults.append((prompt_id, "not a kebab-case id"))
        if not isinstance(text, str) or not text.strip():
            faults.append((prompt_id, "no text"))
        elif text != text.strip() or not text.isprintable():
            faults.append((prompt_id, "text has outer spaces or control characters"))
    return faults
