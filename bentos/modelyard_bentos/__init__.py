"""A model as a bento: the service, packing it, and running it."""
