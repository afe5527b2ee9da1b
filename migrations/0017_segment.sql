-- Segments: audiences that have a name.
create table segment (
    id text primary key not null,
    organization_id text not null references organization (id),
    name text not null,
    -- In lower case: there is one of a name.
    name_key text not null,
    -- JSON: what must hold of a lead.
    audience text not null,
    created_at bigint not null,
    updated_at bigint not null
);
create index segment_page on segment (organization_id, id);
create unique index segment_name on segment (organization_id, name_key);

-- When somebody was last written to, and last answered: one look, however much was said.
create index message_contacted on message (lead_id, accepted_at)
    where lead_id is not null and direction = 'outbound' and accepted_at is not null;
create index message_replied on message (lead_id, created_at) where lead_id is not null and direction = 'inbound';
-- Which runs of a lead are under way.
create index enrollment_running on enrollment (lead_id, sequence_id) where status = 'active';
