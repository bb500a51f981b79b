"""The equations and draws of the methods, as pure functions of latents and frames."""
