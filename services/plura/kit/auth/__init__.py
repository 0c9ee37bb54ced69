"""Authentication: tokens of an OpenID Connect provider, their keys and roles."""
