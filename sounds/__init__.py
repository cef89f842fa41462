"""The prompts: their manifest, and the audio built from it."""
