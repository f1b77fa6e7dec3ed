-- How a target is reached by TLS: the CA that signed its certificate, the name in the certificate, and the certificate and
-- key by which the relay proves itself. The key is encrypted.
ALTER TABLE targets
  ADD COLUMN tls_ca text,
  ADD COLUMN tls_server_name text,
  ADD COLUMN tls_client_certificate text,
  ADD COLUMN tls_client_key_ciphertext bytea;
