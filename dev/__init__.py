"""Tools of developers; nothing that is deployed imports them."""
