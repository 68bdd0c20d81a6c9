"""The command line: `kpnviz app | synth | denoise | kernels | train | evaluate | bench`."""
