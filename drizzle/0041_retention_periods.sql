-- How long the workers keep things, so that a gateway can show it. Null until a worker of this version has run.
ALTER TABLE retention_state ADD COLUMN log_days integer, ADD COLUMN body_days integer, ADD COLUMN audit_days integer;
