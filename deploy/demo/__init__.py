"""The whole loop on one machine: a small labelled world, the folders of every party, and the commands a user would type."""
