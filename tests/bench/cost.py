"""What a program costs that starts a guest."""

import resource
import subprocess
import time


def measure(command, done):
    """Processor seconds (user and system) and wall seconds of `command`, whose output must have the text `done`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    run = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, timeout=1800)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.encode() not in run.stdout:
        raise SystemExit(f"{command[0]}: the guest did not say '{done}':\n{run.stdout.decode(errors='replace')[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.monotonic() - begin
