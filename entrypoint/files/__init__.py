"""Trees of files: walked, packed, archived and read in large pieces."""
