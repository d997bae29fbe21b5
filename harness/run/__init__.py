"""One execution: scenarios are triggered all at once, their captures collected, the outcome recorded."""
