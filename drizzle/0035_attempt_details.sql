-- What an attempt says beyond its result: see packages/store/src/delivery/attempt-details.ts. Null for the attempts of
-- earlier versions.
ALTER TABLE attempts ADD COLUMN details text;
