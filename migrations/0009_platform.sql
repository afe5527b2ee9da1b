-- The platform default: the operator's own sender, by configuration, for organizations that have connected none.

-- A row of `account` that nobody sees, one for each organization, channel and configured sender, so that limits, lanes,
-- tries and reports are the same as of any account. Its credentials are not stored. `platform` names what is configured:
-- the SHA-256 of the provider's account; null for accounts that people have connected. (So message.account_id is never null.)
alter table account add column platform text;

-- An organization may connect the operator's number as its own.
drop index account_address;
create unique index account_address on account (organization_id, channel, address) where deleted_at is null and platform is null;
create unique index account_platform on account (organization_id, channel, platform, address) where platform is not null;
