"""`python -m kpnviz` is `kpnviz`: what torchrun starts."""

import sys

from kpnviz.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
