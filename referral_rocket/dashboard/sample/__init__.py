"""Sample data: a coffee roaster's ninety days, made through the product's own services."""
