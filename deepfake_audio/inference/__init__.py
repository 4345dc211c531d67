"""Files to scores in batches and processes, timelines and the table of results."""
