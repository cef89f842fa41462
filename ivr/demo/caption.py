"""What a prompt says, as text: for those who watch a call and do not hear it. Pure."""

from collections.abc import Mapping, Sequence

HIDDEN_AFTER = ("tollgate/your-pin-is", "tollgate/write-it-down")


def caption(files: Sequence[str], texts: Mapping[str, str]) -> str:
    """The words of these sound files; `texts` are those of the prompts by id. A PIN that is read out stays hidden."""
    words: list[str] = []
    hidden = False
    for name in files:
        folder, _, base = name.rpartition("/")
        hidden = name in HIDDEN_AFTER or (hidden and folder == "digits")
        if folder == "digits" and base.isdigit():
            if not hidden and _completes_ten(words, base):
                words[-1] = str(int(words[-1]) + int(base))
            else:
                words.append("*" if hidden else base)
        elif folder == "tollgate":
            words.append(texts.get(base, base))
        else:
            words.append(base)
    return " ".join(words)


def _completes_ten(words: Sequence[str], unit: str) -> bool:
    """`twenty` and `seven` are one number; two digits read one by one are not."""
    last = words[-1] if words else ""
    return last.isdigit() and 20 <= int(last) <= 90 and int(last) % 10 == 0 and 1 <= int(unit) <= 9
