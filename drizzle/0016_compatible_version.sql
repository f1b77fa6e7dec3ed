-- The oldest version of Sluice that may use this schema. A migration after which older code would fail raises it.
ALTER TABLE configuration ADD COLUMN min_compatible_version text NOT NULL DEFAULT '0.1.0';
