"""``python -m mndmri.command`` is ``mndmri``."""

import sys

from mndmri.command.line import main

sys.exit(main())
