"""The processes of a visit: confined, started, watched and ended. No key in here."""
