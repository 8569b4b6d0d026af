"""The running program: wiring, start and stop, jobs, status, checks and logs."""
