"""Analytics: stores what players do and adds it up by the day."""
