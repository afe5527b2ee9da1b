-- Of the peers: one table as such products have it, and one against repeated reports.
drop table if exists peer_message, peer_report, peer_lead;
create table peer_message (
    id text primary key,
    account_id text not null,
    sender text not null,
    recipient text not null,
    body text not null,
    status text not null default 'queued',
    provider_message_id text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index peer_queue on peer_message (id) where status = 'queued';
create index peer_provider on peer_message (provider_message_id) where provider_message_id is not null;
create table peer_report (dedupe_key text primary key, raw text not null, received_at timestamptz not null default now());
create table peer_lead (
    id text primary key,
    name text not null,
    company text,
    email text unique,
    phone text unique,
    custom jsonb not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
