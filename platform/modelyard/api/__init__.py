"""The service: one model behind FastAPI, and models by name for code of one's own."""
