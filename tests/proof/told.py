"""What cannot be proven on this machine is said at the end of every run, and fails where all is to be proven."""

from collections.abc import Sequence

import pytest

from tests.proof import small_disk

NOT_PROVEN = (
    "NOT PROVEN HERE: what a full disk does. No tmpfs can be mounted: run the tests as root and, in a container, with"
    " CAP_SYS_ADMIN."
)


def disks(config: pytest.Config, names: Sequence[str]) -> list[str]:
    """Those of these disks a test is run on: all, but that without --proof a machine need not be able to mount one."""
    if config.getoption("--proof") or small_disk.may_mount():
        return list(names)
    return [name for name in names if name == small_disk.BOUND_FILES]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One loud line."""
    if not small_disk.may_mount():
        terminalreporter.section("not proven", red=True)
        terminalreporter.line(NOT_PROVEN, red=True)
