#!/usr/bin/env python3
"""The command line. Stdlib only up to the hand-over, so that --help is instant and a bare Python gets a clear word."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
if __name__ == "__main__":  # what is imported below is Python's and ours, whatever the environment says
    os.environ.pop("PYTHONSAFEPATH", None)  # it keeps the processes that we start from finding our modules
    if os.environ.pop("PYTHONPATH", "") and sys.executable:  # a json.py there would stand in the place of Python's
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    if sys.path[:1] != [HERE]:  # python -P, python -I
        sys.path.insert(0, HERE)

from agent.app import arguments, terminal  # noqa: E402
from agent.app.exits import INFRASTRUCTURE, INTERRUPTED, USER_ERROR  # noqa: E402
from agent.core.errors import InfrastructureError  # noqa: E402


def main() -> int:
    terminal.prepare()
    try:
        status = _run()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except InfrastructureError as error:
        print(f"launch.py: {error}", file=sys.stderr)
        status = INFRASTRUCTURE
    return terminal.finish(status)


def _run() -> int:
    try:
        args = arguments.parse(sys.argv[1:])
    except arguments.Refusal as refused:
        print(refused, file=sys.stderr)
        return USER_ERROR
    if args.help or args.command is None:
        print(arguments.help_text(args.command), end="")
        return 0 if args.help else USER_ERROR
    _enter_environment()
    from agent.app.cli import run

    return run(args)


def _enter_environment() -> None:
    """Go on in the project's own environment, whichever Python was typed."""
    own = os.path.join(HERE, ".venv")
    python = os.path.join(own, "bin", "python")
    if os.path.realpath(sys.prefix) == os.path.realpath(own):
        return
    if not os.access(python, os.X_OK):
        again = "run `make setup` (or sh setup.sh) in " + HERE + ", then the same command again"
        print(f"launch.py: not set up yet: {again}", file=sys.stderr)
        sys.exit(USER_ERROR)
    os.execv(python, [python, os.path.join(HERE, "launch.py"), *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
