"""The rules of Sentry's ingest protocol, as the check ``protocol`` applies them."""
