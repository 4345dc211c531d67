"""The data folder: manifest, rendering of images, and the journal of a preparation."""
