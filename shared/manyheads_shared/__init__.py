"""What the hub, the contributor kit and the client must agree on.

`shared` imports nothing of ours. A thing lives here when at least two of the three packages use it *and* would
disagree if each wrote its own: formats, networks, preprocessing, scoring, the decision rule, metrics, calibration.
Formats (no torch) lie below networks (torch); import-linter keeps it so.
"""

__version__ = "0.1.0"
