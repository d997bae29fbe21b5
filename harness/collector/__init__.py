"""The fake Sentry: a server that speaks the ingest protocol, the inbox it fills, and a transport without network."""
