"""What a store must hold after a run, and in what words a test is told where it does not."""
