"""What runs in a peer's environment: a child process that answers calls over pipes."""
