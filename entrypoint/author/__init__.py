"""The commands of a train's author and of a researcher: they need no station."""
