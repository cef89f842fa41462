"""`tollgate web`: the process that serves other services over HTTP."""

import typer

from runtime.command import CommandError, command_group, open_engine, open_pepper, open_settings


def attach(app: typer.Typer) -> None:
    """Bring `web`."""
    command_group(app, "web", "The HTTP API for other services.").command("run")(run)


def run() -> None:
    """Serve the API on web.host and web.port until told to stop (SIGTERM, SIGINT).

    Example: tollgate web run
    """
    import socket

    import uvicorn

    from ani.lockout.lockout import Limits
    from runtime.clock import SystemClock
    from runtime.database import watched
    from runtime.database_watch import DatabaseWatch
    from runtime.logs import get_logger
    from web.app import create_app

    settings = open_settings()
    engine = watched(open_engine(settings), DatabaseWatch(get_logger("web")))
    lockout = settings.lockout
    limits = Limits(
        lockout.per_line_hour, lockout.per_account_half_hour, lockout.overall_hour, lockout.per_access_number_hour
    )
    app = create_app(engine, SystemClock(), open_pepper(settings, engine), limits, settings.web.requests_per_s)
    family = socket.AF_INET6 if ":" in settings.web.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.web.host, settings.web.port))
    except OSError as error:
        raise CommandError(
            f"cannot listen on {settings.web.host}:{settings.web.port} (web.host, web.port): {error.strerror or error}"
        ) from None
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=15,
        h11_max_incomplete_event_size=16 * 1024,
    )
    get_logger("web").info("ready", address=f"{settings.web.host}:{settings.web.port}")
    uvicorn.Server(config).run(sockets=[listener])
