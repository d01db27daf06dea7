"""What happened to the sessions since the demo was started, for its page to draw."""
