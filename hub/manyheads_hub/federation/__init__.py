"""The maintainer's side of a federated training: rounds, their record, and the primary that comes of them.

`coordinator` decides nothing of Flower and `server_app` nothing else; neither loads torch. Only `primary` does, in commands.
"""
