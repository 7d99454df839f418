"""Archives of images: their layers, and how the image of a train differs from its master image."""
