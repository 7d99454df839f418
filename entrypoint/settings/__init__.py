"""The settings of a station: its folder and the environment, read into one frozen value."""
