"""The session as a fold of events: events, states, and the next action. Pure."""
