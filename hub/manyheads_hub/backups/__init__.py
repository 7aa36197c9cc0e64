"""A hub copied to a folder, and made again from it, on the same or on another database and storage.

    BACKUP/blobs/ab/ab12…              shared by all copies: a blob never changes
    BACKUP/copies/TIME/tables/*.jsonl  one row a line
    BACKUP/copies/TIME/{hub.toml,policy.json,root.json}
    BACKUP/copies/TIME/copy.json       written last: a copy without it is none

Private keys are not in it: they are kept apart, or whoever finds a backup has the hub. TUF files need no copy of their own;
the database has them (`signing.ledger`).
"""
