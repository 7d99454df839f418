"""Archives of images, read and compared in memory."""
