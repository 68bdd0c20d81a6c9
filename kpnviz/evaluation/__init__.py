"""Measuring: the test set, what people would use instead of a network, the table, time and memory."""
