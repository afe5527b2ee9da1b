-- Sequences: steps over any channel; and the run of each lead through one.
create table sequence (
    id text primary key not null,
    organization_id text not null references organization (id),
    name text not null,
    -- Null: nothing of it goes out.
    active_since bigint,
    -- The newest version of its plan.
    version bigint not null,
    -- 'yes' when an answer ends a lead's run.
    stop_on_reply text not null check (stop_on_reply in ('yes', 'no')),
    demo_at bigint,
    created_at bigint not null,
    updated_at bigint not null
);
create index sequence_page on sequence (organization_id, id);
create index sequence_active on sequence (id) where active_since is not null;

-- What a sequence does; a lead keeps the version with which it began.
create table sequence_version (
    sequence_id text not null references sequence (id) on delete cascade,
    version bigint not null,
    organization_id text not null,
    -- JSON: steps with their pinned templates, window, accounts.
    plan text not null,
    created_at bigint not null,
    primary key (sequence_id, version)
);
-- Which templates a version holds on to.
create table sequence_template (
    organization_id text not null,
    template_id text not null references template (id),
    sequence_id text not null references sequence (id) on delete cascade,
    primary key (organization_id, template_id, sequence_id)
);
create index sequence_template_sequence on sequence_template (sequence_id);
-- A lead that gets one of these tags is done with the sequence.
create table sequence_stop_tag (
    sequence_id text not null references sequence (id) on delete cascade,
    tag text not null,
    primary key (sequence_id, tag)
);

create table enrollment (
    id text primary key not null,
    organization_id text not null references organization (id),
    sequence_id text not null references sequence (id) on delete cascade,
    version bigint not null,
    lead_id text not null references lead (id) on delete cascade,
    status text not null check (status in ('active', 'finished', 'stopped')),
    stop_reason text,
    -- The next step, from 0, and its channel.
    step bigint not null,
    channel text not null check (channel in ('email', 'sms', 'whatsapp')),
    due_at bigint not null,
    -- JSON: the account that writes to this lead, by channel.
    senders text not null,
    -- The last step before the first answer.
    replied_step bigint,
    created_at bigint not null,
    updated_at bigint not null
);
create index enrollment_page on enrollment (sequence_id, id);
-- A lead is at most once active in a sequence.
create unique index enrollment_active on enrollment (sequence_id, lead_id) where status = 'active';
-- What is due; what is over costs nothing.
create index enrollment_due on enrollment (sequence_id, channel, due_at, id, step) where status = 'active';
create index enrollment_lead on enrollment (lead_id, id);
create index enrollment_replied on enrollment (sequence_id, replied_step) where replied_step is not null;

-- Which step of whose run a message is.
alter table message add column sequence_id text;
alter table message add column enrollment_id text;
alter table message add column step bigint;
-- A step is due once, whatever happens.
create unique index message_step on message (enrollment_id, step) where enrollment_id is not null;
-- The numbers of a sequence, by step.
create index message_sequence on message (sequence_id, step, status) where sequence_id is not null;

-- What an organization asks of all that it sends by plan.
-- JSON; what is not in it is as it is from the start.
alter table organization add column rules text not null default '{}';
