"""`python -m tests.redteam`."""

import sys

from tests.redteam.run import main

if __name__ == "__main__":
    sys.exit(main())
