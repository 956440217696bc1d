"""The site's pages. Each module makes one page or one kind of picture from the design; none knows a file."""
