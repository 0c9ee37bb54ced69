"""What the HTTP APIs of the services share: server, errors, parameters, audit of denied requests."""
