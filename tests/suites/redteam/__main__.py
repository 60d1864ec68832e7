"""`python -m tests.suites.redteam`."""

import sys

from tests.suites.redteam.run import main

if __name__ == "__main__":
    sys.exit(main())
