"""Number plans, routes, and the Asterisk configuration made from them."""
