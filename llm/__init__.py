"""Questions to language models: the catalog of models, prompts, calls with fallback, answers."""
