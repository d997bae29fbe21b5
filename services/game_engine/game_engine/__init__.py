"""Game engine: a slot machine with a configured return to player."""

SERVICE = "game-engine"
GAME = "triple-cherry"
