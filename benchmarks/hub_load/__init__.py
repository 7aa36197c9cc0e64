"""A hub under load on loopback, beside nginx serving the same bytes; and a hub that grows to 10,000 heads.

`make bench-hub` runs everything and writes `benchmarks/results/hub-load.{json,md}`; `--quick` tries it out in half a minute.
"""
