-- Campaigns: one message to many. What one sends, and where each of its people is, is a sequence of one step under the same id.
alter table sequence add column kind text not null default 'sequence' check (kind in ('sequence', 'campaign'));
drop index sequence_page;
create index sequence_page on sequence (organization_id, kind, id);

create table campaign (
    id text primary key not null references sequence (id) on delete cascade,
    organization_id text not null references organization (id),
    state text not null check (state in ('draft', 'scheduled', 'running', 'paused', 'done', 'canceled')),
    -- JSON: who it is for.
    audience text not null,
    -- Null: as soon as it is started.
    send_at bigint,
    -- The last of its people who were gathered, newest lead first.
    gathered_to text,
    -- Everybody is gathered since.
    gathered_at bigint,
    -- JSON: how many were left out when they were gathered, by reason.
    excluded text not null,
    started_at bigint,
    -- Nothing more of it will happen since.
    ended_at bigint,
    created_at bigint not null,
    updated_at bigint not null
);
create index campaign_page on campaign (organization_id, id);
-- What the worker has to look at.
create index campaign_open on campaign (id) where ended_at is null and state in ('scheduled', 'running', 'canceled');

-- Why runs ended early, and how many.
create index enrollment_stopped on enrollment (sequence_id, stop_reason) where stop_reason is not null;
