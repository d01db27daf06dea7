"""A chat over a socket, which is closed when its session ends."""
