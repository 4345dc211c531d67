"""The page and the REST service: requests in, verdicts of worker processes out."""
