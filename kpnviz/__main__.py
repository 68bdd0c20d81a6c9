import sys

from kpnviz.cli import main

sys.exit(main())
