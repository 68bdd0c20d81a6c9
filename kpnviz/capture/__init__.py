"""From files to an aligned burst: read, decode, align, estimate the noise; and back to files."""
