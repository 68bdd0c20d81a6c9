"""What the app's pages are put together from: controls, links, cached results, components."""

import kpnviz.serving  # noqa: F401  it sets what torch reads when it is imported
