"""Training a network: losses, bursts made on the fly, the run, and what the zoo learns."""
