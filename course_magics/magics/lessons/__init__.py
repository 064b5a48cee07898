"""`%lesson`, `%check`, `%hint`, `%solution` and `%quiz`."""
