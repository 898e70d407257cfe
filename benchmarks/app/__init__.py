"""The parts of `benchmarks/app.py`, one file each."""
