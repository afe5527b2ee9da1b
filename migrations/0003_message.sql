-- Messages. The row is the job: there is no second queue that could disagree with it.
create table message (
    id text primary key not null,
    organization_id text not null references organization (id),
    -- Null: the installation's platform defaults.
    account_id text references account (id),
    lead_id text,
    channel text not null check (channel in ('email', 'sms', 'whatsapp')),
    direction text not null check (direction in ('outbound', 'inbound')),
    sender text,
    recipient text not null,
    subject text,
    body text not null,
    segments bigint not null,
    status text not null check (status in ('queued', 'sending', 'accepted', 'sent', 'delivered', 'read', 'failed', 'undelivered', 'canceled', 'suppressed', 'unknown')),
    attempts bigint not null default 0,
    provider_message_id text,
    error_code text,
    error_message text,
    -- 'yes' when the same message may succeed later.
    error_retryable text,
    waiting_reason text,
    waiting_since bigint,
    waiting_until bigint,
    waiting_detail text,
    -- Queued: not before this instant.
    due_at bigint not null,
    -- Sending: whose attempt it is. A result is only taken from the holder of the token.
    lease_token text,
    lease_until bigint,
    -- The provider is asked for news at this instant; null when there is nothing to ask.
    poll_at bigint,
    accepted_at bigint,
    demo_at bigint,
    created_at bigint not null,
    updated_at bigint not null
);
-- The messages page, newest first (ULIDs sort by time).
create index message_page on message (organization_id, id);
-- The queue of each account; sent messages are not in it, so history costs nothing.
create index message_due on message (account_id, due_at, id) where status = 'queued';
-- When the next one of all accounts is due: how long the worker may sleep.
create index message_next on message (due_at) where status = 'queued';
-- What a dead process left behind.
create index message_lease on message (lease_until) where status = 'sending';
-- Whom to ask for news.
create index message_poll on message (poll_at, id) where poll_at is not null;
-- A provider's call names the message by the provider's id.
create index message_provider on message (account_id, provider_message_id) where provider_message_id is not null;

-- One try to hand a message to a provider: written, and durable, before the first byte leaves.
create table attempt (
    id text primary key not null,
    message_id text not null references message (id) on delete cascade,
    account_id text,
    number bigint not null,
    token text not null,
    -- The day its quota was reserved on; a refund goes to this day, whatever the date is then.
    quota_day text,
    started_at bigint not null,
    finished_at bigint,
    outcome text check (outcome in ('accepted', 'rejected', 'unauthorized', 'throttled', 'unavailable', 'unknown')),
    refunded_at bigint
);
create index attempt_message on attempt (message_id, number);

-- The timeline of a message: what happened, who told us.
create table event (
    id text primary key not null,
    message_id text not null references message (id) on delete cascade,
    at bigint not null,
    status text not null,
    source text not null check (source in ('api', 'worker', 'webhook', 'poll', 'user')),
    provider_status text,
    error_code text,
    error_message text,
    error_retryable text,
    detail text
);
create index event_message on event (message_id, id);

-- What providers called us with, raw but for masked account identifiers; stored before they get their 2xx.
create table webhook_call (
    id text primary key not null,
    account_id text not null,
    message_id text,
    -- Equal for repeats of one delivery.
    dedupe_key text not null,
    raw text not null,
    received_at bigint not null,
    unique (account_id, dedupe_key)
);

-- Answers already given, by the caller's idempotency key.
create table idempotency (
    organization_id text not null,
    key text not null,
    -- SHA-256 of the request body: the same key with another body is an error.
    body_hash text not null,
    -- Deferred: the key is taken before its message is stored, so that the loser of a race has stored nothing.
    message_id text not null references message (id) on delete cascade deferrable initially deferred,
    created_at bigint not null,
    primary key (organization_id, key)
);
