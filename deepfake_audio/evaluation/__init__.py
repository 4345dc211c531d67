"""Error rates with intervals, and the tables, figures and page that show them."""
