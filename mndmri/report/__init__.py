"""Pages that a radiologist can look at: one HTML file each, with nothing loaded from elsewhere."""
