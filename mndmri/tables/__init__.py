"""Tables of measures and of their quality: columns, dictionaries, words."""
