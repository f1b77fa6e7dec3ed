-- The body of an event is kept as it came, and a label says how to read it.
ALTER TABLE events
  ADD COLUMN content_encoding text;
