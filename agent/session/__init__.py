"""The session as a fold of its events: events, state, and the next action. Pure."""
