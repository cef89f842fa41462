"""Processes that do a shift of work."""

import multiprocessing
from collections.abc import Sequence
from multiprocessing.process import BaseProcess

from tests.proof.shift import Shift, work

LONGEST_S = 600.0


def forked(shift: Shift) -> BaseProcess:
    """A process that starts at once: forked from one that has read the program and done nothing with it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.proof.shift"])
    process = context.Process(target=work, args=(shift,))
    process.start()
    return process


def must_end_well(processes: Sequence[BaseProcess]) -> None:
    """Wait until all have done what they were told."""
    for process in processes:
        process.join(LONGEST_S)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
        process.join()
        process.close()
    assert codes == [0] * len(codes)
