"""`python3 mirror.py`: the Debian mirror this machine's own apt configuration names. Standard library only, because it
runs before anything is installed. Exit code 1 when there is none (the machine is not Debian)."""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

APT = Path("/etc/apt")


def mirror(apt: Path = APT) -> str | None:
    """The first address of a Debian archive; not the security archive, and no other vendor's."""
    for uri, suite in _sources(apt):
        if uri.startswith("mirror+file:"):
            listed = Path(uri.removeprefix("mirror+file:"))
            uris = listed.read_text(encoding="utf-8").split() if listed.is_file() else []
        else:
            uris = [uri]
        for one in uris:
            if re.match(r"https?://", one) and re.search(r"/debian/?$", one) and "security" not in suite:
                return one.rstrip("/")
    return None


def _sources(apt: Path) -> Iterator[tuple[str, str]]:
    """Every (address, suite) of both formats, in the order apt reads them."""
    listed = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))]
    for path in listed:
        if path.is_file():
            yield from one_line_sources(path.read_text(encoding="utf-8", errors="replace").splitlines())
    for path in sorted((apt / "sources.list.d").glob("*.sources")):
        yield from deb822_sources(path.read_text(encoding="utf-8", errors="replace"))


def one_line_sources(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """`deb [options] uri suite component...`, see sources.list(5)."""
    for line in lines:
        found = re.match(r"\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)", line)
        if found:
            yield found[1], found[2]


def deb822_sources(text: str) -> Iterator[tuple[str, str]]:
    """Stanzas of `Field: value`, with continued lines; `Enabled: no` switches one off. See sources.list(5)."""
    plain = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n[ \t]*\n", plain):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1] in {" ", "\t"} and name:
                fields[name] += " " + line.strip()
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in {"no", "false"}:
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield uri, suite


if __name__ == "__main__":
    found = mirror()
    if found is None:
        sys.exit("this machine's apt configuration names no Debian mirror")
    sys.stdout.write(found + "\n")
