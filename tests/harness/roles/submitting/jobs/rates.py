"""What a job gets by `--py-files`."""

RATE = 7
