"""The site without a server: everything that the app computes for a synthetic burst, in the visitor's browser.

engine/       the networks' arithmetic: C, and the WebAssembly that compiling.py makes of it
scripts/      ES modules: the networks, random numbers as NumPy has them, bursts, payloads for the lens, the pages
texts.py      lessons and results as HTML
constants.py  writes what C and JavaScript have to know of Python's constants
"""
