"""What may be asked for: settings, experiments, recipes, profiles, a request and its layers, users' own parts. Runs nothing."""
