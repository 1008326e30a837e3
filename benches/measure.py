"""CPU time of a command with everything it starts (Linux)."""

import ctypes
import os
import resource
import subprocess

PR_SET_CHILD_SUBREAPER = 36


def adopt():
    """From now on this process inherits, and so can account for, processes that lose their parent.

    The system counts a process's time for its parent only once the parent has waited for it. flow kills its idle
    worker processes when it ends and leaves them to the system to bury: their time would be nobody's.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot adopt orphaned processes")


def cpu(command, cwd, env=None):
    """CPU seconds, user and system, of a command and all its descendants.

    Raises RuntimeError with the command's output if it fails.
    """
    adopt()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout[-2000:]}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
