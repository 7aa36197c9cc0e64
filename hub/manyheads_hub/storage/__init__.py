"""Where the hub's files lie: a directory, or a bucket of an S3-compatible server."""
