"""The paper's equations and draws, as pure functions of latents."""
