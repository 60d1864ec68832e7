"""The command line. Stdlib only up to the hand-over, so that --help is instant and a bare Python gets a clear word."""

import os
import sys

from agent.app import arguments

HERE = os.path.dirname(os.path.abspath(__file__))


def main() -> int:
    try:
        args = arguments.parse(sys.argv[1:])
    except arguments.Refusal as refused:
        print(refused, file=sys.stderr)
        return 2
    if args.help or args.command is None:
        print(arguments.help_text(args.command), end="")
        return 0 if args.help else 2
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
        sys.exit("launch.py: not set up yet: run `make setup` in " + HERE + ", then the same command again")
    os.execv(python, [python, os.path.join(HERE, "launch.py"), *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
