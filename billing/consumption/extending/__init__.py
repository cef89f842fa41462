"""Extensions of other services' sessions, many in one transaction."""
