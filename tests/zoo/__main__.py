"""`python -m tests.zoo`; see `running`."""

from __future__ import annotations

import sys

from tests.zoo.running import main

if __name__ == "__main__":
    main(sys.argv[1:])
