"""Services as containers of a Compose file, on an engine of this machine."""
