"""From a results frame to tables, figures and a page. Knows pandas and no other package of this project."""
