"""The hub's web pages: what a person sees of the catalogue, the submissions and the bundles. Rendered here, no script.

They read the same services as the API and change nothing.
"""
