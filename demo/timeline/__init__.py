"""The events of the sessions since the start of the demo. The page draws them."""
