"""Engines: who examines the items of a scan. `port` says what one is, `local` is this process, `ray` a cluster of one's own."""
