"""A worker process: claims jobs, beats its heart, runs the stages."""
