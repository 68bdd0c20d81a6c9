"""Numbers that look inside: measures of a picture, statistics of kernels, and what a change by hand would do."""
