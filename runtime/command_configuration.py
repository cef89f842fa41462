"""`tollgate config`: the settings as they are read, their check, and their names."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from runtime.command import AsJson, print_document, print_done, print_table

if TYPE_CHECKING:
    from runtime.settings import Settings

configuration_app = typer.Typer(no_args_is_help=True, help="The settings: what is read, and from where.")


def attach(app: typer.Typer) -> None:
    """Add `tollgate config` to the command."""
    app.add_typer(configuration_app, name="config")


@configuration_app.command("show", epilog="Example: tollgate config show --json")
def show(as_json: AsJson = False) -> None:
    """Show every setting as it is read, secrets masked, and the file it may come from."""
    from runtime import settings

    path = settings.settings_file()
    rows = list(shown_settings(settings.load_settings()))
    if as_json:
        print_document({"file": None if path is None else str(path), "settings": dict(rows)})
        return
    print_table(f"settings (file: {path or 'none'})", ("setting", "value"), [("file", path or "none"), *rows])


@configuration_app.command("check", epilog="Example: TOLLGATE_CONFIG=new.toml tollgate config check")
def check(as_json: AsJson = False) -> None:
    """Read every setting and stop at what is unknown or cannot be; exit code 1 then."""
    from runtime import settings

    settings.load_settings()
    path = settings.settings_file()
    if as_json:
        print_document({"ok": True, "file": None if path is None else str(path)})
    else:
        print_done(f"ok: {path or 'no file, defaults and environment'}")


@configuration_app.command("env", epilog="Example: tollgate config env")
def env(as_json: AsJson = False) -> None:
    """List the environment variable of every setting, with its default."""
    from runtime import settings

    rows = [(row.variable, _text(row.default)) for row in settings.known_settings()]
    print_document(dict(rows)) if as_json else print_table("environment", ("variable", "default"), rows)


def shown_settings(found: "Settings") -> Iterator[tuple[str, str]]:
    """Each setting by its dotted name, as it may be shown: a secret is only said to be set or not."""
    from runtime import settings

    for row in settings.known_settings():
        value = getattr(getattr(found, row.section), row.key)
        yield f"{row.section}.{row.key}", _text(value)


def _text(value: object) -> str:
    from pydantic import SecretStr
    from sqlalchemy import make_url

    if isinstance(value, SecretStr):
        return "***" if value.get_secret_value() else ""
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value)
    text = str(value)
    return make_url(text).render_as_string(hide_password=True) if "://" in text else text
