"""Saliency as files: the numbers of every image, and pictures of them on one scale (`attribute --saliency FOLDER`)."""
