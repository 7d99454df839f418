"""Everything that needs the Linux kernel."""
