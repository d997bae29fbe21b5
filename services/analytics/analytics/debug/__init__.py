"""The debug endpoints: errors and loads on purpose, to see what Sentry would tell."""

# Importing these modules registers their endpoints, in the order of the manifest.
from analytics.debug import crashes as crashes
from analytics.debug import loads as loads
from analytics.debug import queries as queries
from analytics.debug.endpoints import add_debug_routes as add_debug_routes
