"""How long a line may talk in a session, a day, a month and in all, by credit tier."""
