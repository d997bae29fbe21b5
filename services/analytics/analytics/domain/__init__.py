"""What analytics does, free of HTTP: storing events, reports, exports, documents."""
