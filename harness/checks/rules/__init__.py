"""The built-in rules, one module for each family."""
