"""The commands of `manyheads`, one module each."""
