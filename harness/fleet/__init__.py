"""Services as real processes: configuration, start, readiness, flush barrier, resource samples, and a certain end."""
