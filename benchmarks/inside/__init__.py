"""The code that runs in a peer's environment, as a child process that answers calls over pipes."""
