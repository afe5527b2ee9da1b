-- The engine: the pace of accounts, lanes, evidence for unknown outcomes, numbers of days.

-- Segments a second; null: as fast as the provider takes them.
alter table account add column rate_per_second bigint;
-- At least so many seconds between two messages, with a random part on top; null: none.
alter table account add column min_gap_seconds bigint;
-- What the daily limit counts: 'day' of the account's zone, or 'rolling' for the last 24 hours.
alter table account add column limit_window text not null default 'day' check (limit_window in ('day', 'rolling'));
-- Warm-up: so many messages on the first day, and so many more on each day after it; null: none.
alter table account add column warmup_start bigint;
alter table account add column warmup_step bigint;
alter table account add column warmup_since bigint;
-- What happens to a message of unknown outcome when nobody can be asked: 'hold' it for a person, or (e-mail only)
-- 'resend' it under the same Message-ID.
alter table account add column on_unknown text not null default 'hold' check (on_unknown in ('hold', 'resend'));

-- What moves while an account sends, apart from its settings: one row each, written with its claims and failures. Why a
-- whole queue waits stands here once, and not in each of its messages.
create table lane (
    account_id text primary key not null references account (id),
    -- The next message may leave at this instant (pace).
    next_at bigint not null,
    -- The newest day that was counted; a clock that is set back does not open an old day again.
    last_day text,
    -- Calls in a row that did not reach the provider.
    failures bigint not null,
    -- Nothing leaves before blocked_until: the limit is reached, or the provider wants or needs a pause.
    blocked_reason text check (blocked_reason in ('daily_limit', 'provider')),
    blocked_since bigint,
    blocked_until bigint,
    blocked_detail text
);

-- Messages that were sent past Tern on that day, as a person entered them: they count, too.
alter table usage add column elsewhere bigint not null default 0;

-- When the next message of all accounts is due is asked lane by lane: one index less to keep for every message.
drop index message_next;
-- What needs evidence or a person.
create index message_unknown on message (organization_id, id) where status = 'unknown';

-- Numbers of a day for the dashboard, kept as things happen: nobody counts history.
create table tally (
    organization_id text not null references organization (id),
    -- yyyy-mm-dd in UTC.
    day text not null,
    channel text not null,
    kind text not null check (kind in ('accepted', 'delivered', 'failed', 'received')),
    count bigint not null,
    primary key (organization_id, day, channel, kind)
);

-- Whom nothing may be sent to. Looked up in the transaction that claims, so nothing slips between.
create table suppression (
    id text primary key not null,
    organization_id text not null references organization (id),
    channel text not null check (channel in ('email', 'sms', 'whatsapp')),
    -- E.164, or an address in lower case.
    address text not null,
    reason text not null,
    source text not null,
    created_at bigint not null
);
create unique index suppression_address on suppression (organization_id, channel, address);
