"""The JSON service of `recsys serve`: FastAPI on uvicorn, in one process."""
