"""The servers beside ours, as one would write them; each is one process on loopback."""
