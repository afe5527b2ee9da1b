-- Changes to all leads that match: what is done, how far it is.
create table lead_change (
    id text primary key not null,
    organization_id text not null references organization (id),
    -- JSON: what is done to each.
    deed text not null,
    -- JSON: whom it means; no segment is named in it, so that nobody changes it meanwhile.
    audience text not null,
    -- For the record of consent: who asked for it.
    asked_by text not null,
    state text not null check (state in ('running', 'done', 'canceled', 'failed')),
    -- Why it failed, for people.
    reason text,
    -- The last lead that was looked at, newest first.
    reached text,
    -- How many match; null: too many to count at once.
    total bigint,
    matched bigint not null,
    changed bigint not null,
    -- JSON: how many were left as they are, by reason.
    skipped text not null,
    created_at bigint not null,
    updated_at bigint not null,
    ended_at bigint
);
create index lead_change_page on lead_change (organization_id, id);
-- What the worker has to look at.
create index lead_change_running on lead_change (id) where state = 'running';
