"""The work of the umbrella pipeline: sales and weather of a day, and the demand model made of them."""
