#!/usr/bin/env python3
"""The command line: ./launch.py in a checkout, experiment-runner where the wheel is installed.

Until it calls agent.app.cli it imports the standard library and our own modules only, so that --help is instant and a
Python without the needed packages gets a clear message.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
OWN = os.path.join(HERE, ".venv")  # the project's own environment
PYTHON = os.path.join(OWN, "bin", "python")
if __name__ == "__main__":  # the environment must not decide which modules the imports below find
    os.environ.pop("PYTHONSAFEPATH", None)  # it keeps the processes that we start from finding our modules
    misled = os.environ.pop("PYTHONPATH", "")  # a json.py there would be imported instead of Python's own
    if os.path.realpath(sys.prefix) != os.path.realpath(OWN) and os.access(PYTHON, os.X_OK):
        os.execv(PYTHON, [PYTHON, os.path.join(HERE, "launch.py"), *sys.argv[1:]])
    if misled and sys.executable:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    if sys.path[:1] != [HERE]:  # python -P and python -I leave the script's folder out
        sys.path.insert(0, HERE)

from agent.app import arguments, terminal  # noqa: E402
from agent.app.exits import INFRASTRUCTURE, INTERRUPTED, USER_ERROR  # noqa: E402
from agent.core.errors import InfrastructureError  # noqa: E402
from agent.core.program import INSTALLED, NAME, version  # noqa: E402


def main() -> int:
    terminal.prepare()
    try:
        status = _run()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except InfrastructureError as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        status = INFRASTRUCTURE
    return terminal.finish(status)


def _run() -> int:
    try:
        args = arguments.parse(sys.argv[1:])
    except arguments.Refusal as refused:
        print(refused, file=sys.stderr)
        return USER_ERROR
    if args.version:
        print(f"experiment-runner {version()}")
        return 0
    if args.help or args.command is None:
        print(arguments.help_text(args.command), end="")
        return 0 if args.help else USER_ERROR
    if wrong := _wrong_environment():
        print(f"{NAME}: {wrong}", file=sys.stderr)
        return USER_ERROR
    from agent.app.cli import run

    return run(args)


def _wrong_environment() -> str:
    """Returns why experiments could not use this Python's packages, or "" if they can."""
    if not INSTALLED:
        again = f"run `make setup` (or sh setup.sh) in {HERE}, then the same command again"
        return "" if os.path.realpath(sys.prefix) == os.path.realpath(OWN) else f"not set up yet: {again}"
    if os.path.realpath(HERE).startswith(os.path.join(os.path.realpath(sys.prefix), "")):
        return ""
    outside = f"it is installed in {HERE}, outside of the environment {sys.prefix} that sandboxes see"
    return f"{outside}; install it with uv tool, with pipx, or in a venv of its own"


if __name__ == "__main__":
    sys.exit(main())
