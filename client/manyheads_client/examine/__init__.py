"""The local web page of `manyheads examine`: a person looks at images one by one. Loopback alone, in memory alone.

Only this package of the client loads a web framework. What is decided is decided elsewhere (`judgement`, `shared.decision`).
"""
