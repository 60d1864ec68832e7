"""Runs sae-bench in its own environment: `python -I worker` in a scratch folder, with a request on standard input.

It imports nothing of the runner and no code of the agent. It asks the runner for latents, which a sandbox computes.
Everything but its messages goes to standard error.
"""

import ctypes
import logging
import os
import signal
import traceback

from channel import Channel

PR_SET_PDEATHSIG = 1


def main() -> None:
    channel = Channel.of_standard_streams()
    request = channel.request()
    die_with(request["parent"])
    logging.basicConfig(level=logging.WARNING)
    name = "setting up"
    try:
        import evals

        bench = evals.Bench(request, channel)
        for name, settings in request["evals"].items():
            channel.send({"metrics": bench.run(name, settings), "eval": name})
        channel.send({"done": True})
    except BaseException as error:
        traceback.print_exc()
        channel.send({"failed": name, "why": " ".join(f"{type(error).__name__}: {error}".split())[:600]})


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the runner's process ends; exit if that has ended already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    main()
