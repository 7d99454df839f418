"""What the disk holds during a visit, and the way back."""
