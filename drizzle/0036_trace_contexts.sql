-- The trace context of an event that continues the trace of its caller: see packages/store/src/delivery/trace-contexts.ts.
ALTER TABLE events ADD COLUMN trace_context text;
