"""Programs beside the product, for those who make its data."""
