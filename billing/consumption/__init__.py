"""Sessions and events of services that are not calls, charged to the same accounts."""
