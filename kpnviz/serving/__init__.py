"""How many visitors are served by one process: turns, caches, large downloads, uploads. Nothing here knows a page."""

import os

# A network's threads wait for each other some thousand times a burst. By default they spin while they wait, which
# takes ten times as long where others compute as well. OpenMP reads this once, when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
