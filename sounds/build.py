"""`python -m sounds.build`: makes the audio of the manifest, and checks it.

Files go to OUTPUT/<language>/tollgate/<id>.wav. A stamp file beside them keeps what each was made from, so a
prompt is made again only when its text or the voice changed or its file is gone; a recording put in place of a
file stays until then. Exit codes: 0 done, 1 failed or a faulty prompt found, 2 wrong usage, 130 interrupted.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from sounds.audio import AudioFault, examine
from sounds.manifest import FOLDER, MANIFEST_PATH, Manifest, ManifestError, load_manifest
from sounds.voice import Voice, VoiceError, find_voice, speak

DEFAULT_OUTPUT = MANIFEST_PATH.parent
STAMP_NAME = ".stamps.json"
WORKERS = 2

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Built:
    """How many prompts of a language were made, and how many were already there."""

    made: int
    kept: int


def build_language(texts: Mapping[str, str], voice: Voice, folder: Path, progress: Progress | None = None) -> Built:
    """Make the prompts that are missing or out of date in `folder`, made if need be; `progress` gets done and total.

    What was made before a fault or an interrupt is kept and stamped. Raises VoiceError, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {prompt_id: _stamp(text, voice) for prompt_id, text in texts.items()}
    stamps = _read_stamps(folder)
    stale = [
        prompt_id
        for prompt_id, stamp in wanted.items()
        if stamps.get(prompt_id) != stamp or not (folder / f"{prompt_id}.wav").is_file()
    ]
    if not stale:
        return Built(made=0, kept=len(wanted))
    pool = ThreadPoolExecutor(WORKERS)
    jobs = {pool.submit(speak, voice, texts[one], folder / f"{one}.wav"): one for one in stale}
    try:
        for done, job in enumerate(as_completed(jobs), start=1):
            job.result()
            if progress is not None:
                progress(done, len(stale))
    finally:
        pool.shutdown(cancel_futures=True)
        made = [one for job, one in jobs.items() if not job.cancelled() and job.exception() is None]
        _write_stamps(folder, stamps | {one: wanted[one] for one in made})
    return Built(made=len(stale), kept=len(wanted) - len(stale))


def check_language(prompt_ids: Iterable[str], folder: Path) -> tuple[tuple[Path, AudioFault], ...]:
    """Every prompt file of `folder` that cannot be played, with its fault; an empty answer is a good set."""
    paths = (folder / f"{prompt_id}.wav" for prompt_id in prompt_ids)
    return tuple((path, fault) for path in paths if (fault := examine(path)) is not None)


def language_folder(output: Path, language: str) -> Path:
    """Where the prompts of a language lie below the output folder."""
    return output / language / FOLDER


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Faulty prompts go to stdout, one a line; progress and errors to stderr. Gives the exit code."""
    options = _parser().parse_args(arguments)
    try:
        manifest = load_manifest()
        languages = tuple(manifest.languages) if options.language is None else (options.language,)
        if unknown := set(languages) - set(manifest.languages):
            return _fail(f"the manifest has no language {unknown.pop()}")
        run = _check if options.check else _build
        return max(run(manifest, language, options.output) for language in languages)
    except (ManifestError, VoiceError, OSError) as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        _fail("interrupted; run it again to go on")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sounds.build",
        description="Make the audio of the prompts with flite and sox.",
        epilog="Example: python -m sounds.build --output /var/lib/asterisk/sounds",
    )
    parser.add_argument("--language", help="only this language of the manifest (default: all)")
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT, help="folder above the language folders")
    parser.add_argument("--check", action="store_true", help="make nothing; report prompts that cannot be played")
    return parser


def _build(manifest: Manifest, language: str, output: Path) -> int:
    texts = manifest.texts(language)
    built = build_language(texts, find_voice(language), language_folder(output, language), _show_progress)
    _say(f"{language}: {built.made} made, {built.kept} unchanged")
    return 0


def _check(manifest: Manifest, language: str, output: Path) -> int:
    texts = manifest.texts(language)
    faults = check_language(texts, language_folder(output, language))
    for path, fault in faults:
        sys.stdout.write(f"{path}: {fault}\n")
    _say(f"{language}: {len(texts) - len(faults)} good, {len(faults)} faulty")
    return 1 if faults else 0


def _stamp(text: str, voice: Voice) -> str:
    return hashlib.sha256(f"{voice.settings}\n{text}".encode()).hexdigest()


def _read_stamps(folder: Path) -> dict[str, str]:
    # A stamp file that is gone or broken only costs making every prompt again.
    try:
        stamps = json.loads((folder / STAMP_NAME).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return {str(key): str(value) for key, value in stamps.items()} if isinstance(stamps, dict) else {}


def _write_stamps(folder: Path, stamps: Mapping[str, str]) -> None:
    unfinished = folder / f"{STAMP_NAME}.new"
    unfinished.write_text(json.dumps(stamps, indent=0, sort_keys=True) + "\n", encoding="utf-8")
    unfinished.replace(folder / STAMP_NAME)


def _show_progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done}/{total}" + ("\n" if done == total else ""))
        sys.stderr.flush()


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _fail(message: str) -> int:
    _say(f"sounds: {message}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
