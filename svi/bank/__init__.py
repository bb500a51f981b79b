"""Past errors by timestep, in a file that survives a crash."""
