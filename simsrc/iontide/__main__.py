"""``python -m iontide``: the same as the command ``iontide``."""

import sys

from .cli import main

sys.exit(main())
