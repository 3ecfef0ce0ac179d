"""The template and its regions."""
