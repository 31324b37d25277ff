"""Questions about a project's events: names, trends, funnels, retention."""
