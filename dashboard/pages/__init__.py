"""HTML pages. Every route renders a whole page; fragments are asked for by their own address."""
