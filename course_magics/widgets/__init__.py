"""Live views. Each shows what a result shows; without a widget front end the text alone stays."""
