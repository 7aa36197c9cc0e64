"""Contributors: who may submit heads, for which generators, with which key."""
