"""Ports of loopback on which nobody listens."""

import socket


def free_ports(count: int) -> list[int]:
    """Return so many, all different. Whoever asks takes them soon: nothing keeps them free."""
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(server.getsockname()[1]) for server in servers]
    for server in servers:
        server.close()
    return ports


def free_port() -> int:
    """Return one."""
    return free_ports(1)[0]
