"""Tables and sentences, as Markdown, CSV, LaTeX and HTML, and the published rows beside them."""
