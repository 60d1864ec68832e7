"""`python -m tests.suites.traps`."""

import sys

from tests.suites.traps.play import main

if __name__ == "__main__":
    sys.exit(main())
