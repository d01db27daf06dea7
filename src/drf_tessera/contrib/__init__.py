"""Other people's packages, one file each."""
