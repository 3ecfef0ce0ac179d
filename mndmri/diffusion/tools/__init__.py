"""Command-line tools that a diffusion step can be handed to."""
