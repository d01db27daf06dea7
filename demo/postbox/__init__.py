"""The mailbox of the demo: the page shows what a real server would send."""
