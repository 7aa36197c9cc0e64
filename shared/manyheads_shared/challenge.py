"""The ownership challenge: from a hub's nonce to the seeds a generator is to be run with. Pure, the same on both sides.

What an answer proves, and what it does not: docs/formats/statement.md, S6.
"""

import hashlib
import secrets

NONCE_PATTERN = r"^[0-9a-f]{32}$"
SEED_BITS = 32  # what every framework's generator of random numbers takes


def draw_nonce() -> str:
    """Draw a nonce: 128 random bits, hexadecimal."""
    return secrets.token_hex(16)


def derive_seeds(nonce: str, count: int) -> tuple[int, ...]:
    """Return the seeds of a challenge, each 0 to 2^32 - 1 and no two alike.

    They are the first four bytes, big-endian, of SHA-256("manyheads challenge 1 NONCE I") for I = 0, 1, 2 …; one that came
    before is passed over.
    """
    seeds: dict[int, None] = {}
    number = 0
    while len(seeds) < count:
        word = hashlib.sha256(f"manyheads challenge 1 {nonce} {number}".encode()).digest()
        seeds[int.from_bytes(word[: SEED_BITS // 8], "big")] = None
        number += 1
    return tuple(seeds)
