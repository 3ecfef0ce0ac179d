"""Registration of one image to another: engines, starting poses, transforms and their application."""
