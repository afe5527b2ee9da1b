-- E-mail accounts: a third provider, and settings that are no secret.
--
-- The provider's check must admit 'smtp'. SQLite can change no constraint, and rebuilding a table that others refer to
-- needs foreign keys switched off, which does nothing inside a transaction. A check that belongs to one column goes with
-- that column on both engines, so the column is replaced instead: add, copy, drop, rename. SQLite asks for a default
-- where a column may not be null; a row that names no provider would deliver nowhere.
alter table account add column carrier text not null default 'sandbox'
    check (carrier in ('twilio', 'smtp', 'sandbox'));
update account set carrier = provider;
alter table account drop column provider;
alter table account rename column carrier to provider;

-- What is known of a mail server without opening the secret, as JSON; null for providers without such settings.
alter table account add column settings text;
