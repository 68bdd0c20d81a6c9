"""Texts that any page may show, with the numbers that they state: verdicts, lessons, examples.

They are data (`as_json` of each module): a page without a server shows the very same. Numbers of the test set are
computed from results.csv when a text is made (`measured`), never typed.
"""
