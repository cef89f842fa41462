"""Outside companies that know whose a line is: when they are asked, what it costs, what they said."""
