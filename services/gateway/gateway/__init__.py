"""API gateway: one door to every service, and the first hop of every trace."""

SERVICE = "gateway"
