"""Seeds: put the inputs of given logical dates in place, in any environment."""
