"""The state of a visit on disk: journal, work folders, backup, and restoring the old state."""
