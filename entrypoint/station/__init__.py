"""What a station does beside the visit itself."""
