"""A page in a real browser, driven by Playwright, as one more service of the fleet."""
