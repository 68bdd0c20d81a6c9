"""Brings up to date what is generated: the constants in C and JavaScript, and the engine. For those who change it."""

from kpnviz.site import compiling, constants

for path in constants.written():
    print("wrote", path)
if compiling.up_to_date():
    print("the engine is up to date")
else:
    compiling.compile_all()
    print("compiled", ", ".join(compiling.BUILDS))
