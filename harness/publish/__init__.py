"""What an experiment says in MLflow: runs, texts, cards."""
