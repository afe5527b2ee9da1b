-- Leads: the people to reach.
create table lead (
    id text primary key not null,
    organization_id text not null references organization (id),
    name text not null,
    company text,
    -- In lower case: it is its own key.
    email text,
    -- As given, as dialled (E.164), and the same for all notations of one subscriber.
    phone text,
    phone_number text,
    phone_key text,
    -- Where it is another one than the phone.
    whatsapp text,
    whatsapp_number text,
    whatsapp_key text,
    -- An IANA name.
    time_zone text,
    -- A JSON object of texts.
    custom text not null,
    notes text not null,
    demo_at bigint,
    created_at bigint not null,
    updated_at bigint not null
);
-- The leads page, newest first.
create index lead_page on lead (organization_id, id);
-- One person once. That no phone is somebody else's WhatsApp number is looked at under the organization's lock.
create unique index lead_email on lead (organization_id, email) where email is not null;
create unique index lead_phone on lead (organization_id, phone_key) where phone_key is not null;
create unique index lead_whatsapp on lead (organization_id, whatsapp_key) where whatsapp_key is not null;

create table lead_tag (
    organization_id text not null,
    tag text not null,
    lead_id text not null references lead (id) on delete cascade,
    primary key (organization_id, tag, lead_id)
);
create index lead_tag_lead on lead_tag (lead_id, tag);

-- Two leads that were one person: what both were before, so that it can be undone.
create table lead_merge (
    id text primary key not null,
    organization_id text not null references organization (id),
    kept_id text not null references lead (id) on delete cascade,
    -- JSON: the kept lead before, the one that went, the ids of the messages that were its own.
    before text not null,
    gone text not null,
    moved text not null,
    created_at bigint not null
);
create index lead_merge_kept on lead_merge (kept_id, id);

-- All that was sent to them, or came from them, as one timeline.
create index message_lead on message (lead_id, id) where lead_id is not null;
