"""What draws and lists the package for its pages. Each tool runs by ``python -m tools.<name>``."""
