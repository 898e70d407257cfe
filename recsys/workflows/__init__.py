"""One function per command: load, call, save, and return what was done."""
