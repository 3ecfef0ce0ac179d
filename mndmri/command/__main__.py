"""``python -m mndmri.command`` is ``mndmri``."""

import sys

from mndmri.command.line import main

if __name__ == "__main__":
    sys.exit(main())
