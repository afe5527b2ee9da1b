-- Messages of people who are no leads yet, by the address at the other end: they become theirs when they are taken in.
create index message_stranger on message (organization_id, (case direction when 'inbound' then sender else recipient end))
    where lead_id is null;

-- What became of a merged lead's runs: the ids of those that the kept lead went on with.
alter table lead_merge add column runs text not null default '[]';
