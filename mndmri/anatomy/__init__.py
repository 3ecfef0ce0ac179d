"""T1-weighted images: brain, tissue, grey-matter maps in template space, regional volumes."""
