-- Sender accounts: one mailbox or one phone number each.
create table account (
    id text primary key not null,
    organization_id text not null references organization (id),
    provider text not null check (provider in ('twilio', 'sandbox')),
    channel text not null check (channel in ('email', 'sms', 'whatsapp')),
    -- The sender: E.164, a short code, or a mailbox.
    address text not null,
    display_name text not null,
    daily_limit bigint not null check (daily_limit between 1 and 100000),
    -- The day of the daily limit is a day of this IANA zone.
    time_zone text not null default 'UTC',
    -- The provider's fields as JSON, sealed; null for providers without credentials.
    secret text,
    -- Switched off by a person, since when.
    paused_at bigint,
    connection_status text not null check (connection_status in ('connected', 'error', 'untested')),
    last_error text,
    -- Credentials were refused while sending, since when: nothing goes out until a test succeeds.
    stopped_at bigint,
    -- Part of the demo data.
    demo_at bigint,
    created_at bigint not null,
    -- Its messages keep pointing here, so a deleted account stays as a row without secret.
    deleted_at bigint
);
-- A number is connected once per organization and channel; a deleted one may be connected again.
create unique index account_address on account (organization_id, channel, address) where deleted_at is null;
-- The accounts page, newest first.
create index account_page on account (organization_id, id) where deleted_at is null;

-- What an account has sent of its day: reserved when a message is claimed, given back to the recorded day when it
-- certainly did not leave. A new day is a new row: nothing is ever reset.
create table usage (
    account_id text not null references account (id),
    -- yyyy-mm-dd in the account's zone.
    day text not null,
    used bigint not null,
    primary key (account_id, day)
);
