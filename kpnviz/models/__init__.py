"""Networks: the trunk, the kernel heads, the zoo that names them, and their weights on disk."""
