"""`python -m weftnn` is the command `weftnn`."""

import sys

from weftnn.cli import main

if __name__ == "__main__":
    sys.exit(main())
