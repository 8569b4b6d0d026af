"""Features of notes: search, pages, statistics, charts, export and import. No network, no threads of their own."""
