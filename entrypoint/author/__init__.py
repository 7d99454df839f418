"""What a train's author and a researcher do at their desk."""
