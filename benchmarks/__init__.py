"""How fast this library is, and how fast its peers are, measured in one run: `python -m benchmarks`."""
