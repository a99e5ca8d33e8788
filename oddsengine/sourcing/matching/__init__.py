"""One event from what several providers call it: names, scores, decisions, and translation to the event's first id. Pure."""
