"""Links that nobody wrote: known and unknown names with values that are missing, wrong, huge, or meant to be markup.

As with files, a case is its number.
"""

import numpy as np

from kpnviz.burst import BurstRecipe
from kpnviz.ui import link
from kpnviz.ui.controls import recipe_of

VALUES = (
    "", "0", "1", "-1", "8", "128", "1e9", "1e999", "-1e999", "nan", "inf", "0x10", "½", "٣", "1_000", " 4 ", "+3",
    "4.5", "9" * 400, "a" * 5000, "~", "~~", "_", "3~4", "1e308~1e308", "nan~nan", "0~0_1~1", "0~0_" * 300, "kpn~mkpn",
    "kpn~" * 500, "mkpn", "dog", "../../etc/passwd", "![x](http://host/a.png)", "<script>alert(1)</script>",
    "‮kpn", "\x00", "\n\n# a",
    "hand", "paper", "picture", "kernels", "pair", "what-if", "sum", "10~20~2", "10~20~1e300",
)  # fmt: skip
NAMES = (*sorted(link.names()), "utm_source", "", "ключ", "a" * 3000)


def query(case):
    """The query of a case."""
    rng = np.random.default_rng([9, case])
    names = rng.choice(len(NAMES), size=rng.integers(1, 12), replace=False)
    return {NAMES[name]: VALUES[rng.integers(len(VALUES))] for name in names}


def follow(case):
    """Whether all of the case's link could be followed. It leads to a state that is valid, with one sentence if not."""
    asked = query(case)
    state, sentence = link.read(asked)
    assert isinstance(recipe_of(state), BurstRecipe)
    assert sentence.isprintable() and len(sentence) < 120 * (len(asked) + 500), case
    written = link.write(state)
    again, complaint = link.read(written)
    assert complaint == "" and link.write(again) == written, (case, complaint)
    return not sentence
