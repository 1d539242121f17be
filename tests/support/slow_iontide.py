"""``slow_iontide.py SECONDS WORDS…``: the command iontide with an engine that takes so much longer for each block.

So that a test can kill it in the midst of a sweep.
"""

import sys
import time

from iontide.cli import main
from iontide.sweeps.compute.engine import Engine

if __name__ == "__main__":
    quick = Engine.block

    def slow_block(self, start, stop):
        time.sleep(float(sys.argv[1]))
        return quick(self, start, stop)

    Engine.block = slow_block
    sys.exit(main(sys.argv[2:]))
