"""What a station sets: station folder and environment become one frozen value."""
