"""Every table of the service, as SQLAlchemy Core, a module a feature; `schema` knows them all."""
