"""One visit of a train at a station: its story, its steps, and the place where it happens."""
