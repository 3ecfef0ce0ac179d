"""HTML pages, each a single file without external resources; the methods text; the spreadsheet."""
