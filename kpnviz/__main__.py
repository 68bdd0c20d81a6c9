"""`python -m kpnviz` is `kpnviz`: what torchrun starts."""

import signal
import sys


def main() -> int:
    """The command line, in a process of its own."""
    try:
        from kpnviz.commands.stopping import stop_at_once

        stop_at_once()
        from kpnviz.commands.main import main

        code = main()
    except KeyboardInterrupt:
        print("kpnviz: stopped", file=sys.stderr)
        code = 130
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing is left to be stopped
    return code


if __name__ == "__main__":
    sys.exit(main())
