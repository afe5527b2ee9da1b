-- What people said about being written to: only ever added to, each entry sealed to the one before. Of addresses there are
-- only keyed fingerprints, so that an entry can outlive whom it is about.
create table consent (
    organization_id text not null references organization (id),
    -- 1, 2, 3 … without a gap.
    number bigint not null,
    at bigint not null,
    act text not null,
    channel text not null check (channel in ('email', 'sms', 'whatsapp')),
    fingerprint text not null,
    -- Who says so: 'recipient', 'provider', 'user'.
    source text not null,
    -- The words, the provider's code, the file that was read in.
    detail text,
    message_id text,
    -- HMAC-SHA-256 under the organization's key over this entry and the digest of the one before.
    digest text not null,
    primary key (organization_id, number)
);
create index consent_person on consent (organization_id, fingerprint, number);

-- The end of each organization's record: whoever adds to it locks it.
create table consent_head (
    organization_id text primary key not null references organization (id),
    -- How many entries there are; and the first one that the key can verify: it is another key after a loss.
    number bigint not null,
    first bigint not null,
    digest text not null,
    -- Sealed by the vault: makes fingerprints and digests.
    key text not null
);

-- Whom nothing may be sent to. Fingerprints are the same for all notations of a number, and stay when the address goes.
alter table suppression rename to suppression_by_address;
drop index suppression_address;
create table suppression (
    id text primary key not null,
    organization_id text not null references organization (id),
    channel text not null check (channel in ('email', 'sms', 'whatsapp')),
    -- Empty only until the next start, for what was stored before there were fingerprints.
    fingerprint text,
    -- E.164, or an e-mail address in lower case; empty when whose it was is forgotten.
    address text,
    reason text not null,
    source text not null,
    created_at bigint not null
);
insert into suppression (id, organization_id, channel, address, reason, source, created_at)
    select id, organization_id, channel, address, case when reason = 'bounced' then reason else 'carrier_stopped' end,
        source, created_at
    from suppression_by_address;
drop table suppression_by_address;
create unique index suppression_person on suppression (organization_id, fingerprint, channel);
create index suppression_page on suppression (organization_id, id);
create index suppression_old on suppression (id) where fingerprint is null;
