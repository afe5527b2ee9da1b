-- What the first caller with an idempotency key was told, as JSON, byte for byte: a repeat is told the same, whatever
-- became of the message since. Null for keys from before this column.
alter table idempotency add column answer text;
-- What the first caller with the key was told who waited for the provider; null until then.
alter table idempotency add column waited text;
