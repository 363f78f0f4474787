"""The pipeline's stages, one file each, in the order of `resources.syncjob.STAGES`."""
