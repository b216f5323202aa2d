"""report.html: a planned network on one page, with what has been found out about it since."""
