"""Rules across the documents of a bundle, and the images that they name."""
