"""`python -m kpnviz` is `kpnviz`: what torchrun starts."""

import os
import signal
import sys


def main() -> int:
    """The command line, in a process of its own."""
    try:
        from kpnviz.commands.stopping import stop_at_once

        stop_at_once()
        from kpnviz.commands.main import main

        try:
            code = main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # `kpnviz ... | head` has read all it wants; Python would say so again at its end
        _write_no_more()
        code = 128 + 13  # as of a program that SIGPIPE ends
    except OSError as error:
        print(f"kpnviz: the output cannot be written: {error.strerror}", file=sys.stderr)
        _write_no_more()
        code = 1
    except KeyboardInterrupt:
        print("kpnviz: stopped", file=sys.stderr)
        code = 130
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing is left to be stopped
    return code


def _write_no_more() -> None:
    """What is left in the buffer of stdout goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


if __name__ == "__main__":
    sys.exit(main())
