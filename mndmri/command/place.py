"""Where the workflow is."""

from pathlib import Path

import mndmri


def pipeline_folder() -> Path:
    """Folder with the Snakefile, rules, scripts and configs: in the installed package, or the repository itself."""
    package = Path(mndmri.__file__).resolve().parent
    installed = package / "pipeline"
    return installed if installed.is_dir() else package.parent
