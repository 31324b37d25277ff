"""Several processes of one service on one port."""

import socket


def shared_and_own(host: str, shared_port: int, own_port: int) -> list[socket.socket]:
    """Bind the port that processes of a service share, and the one that this one has for itself; raises OSError.

    Linux spreads connections over all processes that listen on a shared port, which a server does once it can answer.
    """
    sockets: list[socket.socket] = []
    for port in (shared_port, own_port):
        bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if port == shared_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((host, port))
        sockets.append(bound)
    return sockets
