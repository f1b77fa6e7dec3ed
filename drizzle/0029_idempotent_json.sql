-- By which a repeated request is recognized although its JSON has its members in another order: `fingerprint`, and after
-- it SHA-256 of method, path and sorted body. A process of the version before writes `fingerprint` alone, so that this
-- column is null, or is of another request and does not begin with `fingerprint`.
ALTER TABLE idempotency_keys
  ADD COLUMN meaning bytea;
