"""Who is asking: tokens of an OpenID Connect provider, their keys and the roles they carry."""
