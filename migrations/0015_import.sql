-- Imports: files of leads, and how far they are.
--
-- The file is kept as text in pieces of whole rows until the import ends: the server that imports may be another one than
-- took the upload. How far it is, is written in the transaction that writes the rows, so a crash neither skips nor repeats one.
create table import (
    id text primary key not null,
    organization_id text not null references organization (id),
    -- uploading, draft, running, done, failed, canceled; running and done with dry_run = 1 change nothing.
    state text not null,
    dry_run bigint not null,
    -- Grows with every start; what an earlier one left is not shown, and swept away.
    round bigint not null,
    file_name text not null,
    encoding text not null,
    delimiter text not null,
    has_header bigint not null,
    -- JSON lists: names of the columns, the first rows, what the columns mean, tags to add.
    columns text not null,
    sample text not null,
    mapping text not null,
    tags text not null,
    on_duplicate text not null,
    default_country text not null,
    consent_source text not null,
    rows_total bigint not null,
    created bigint not null,
    updated bigint not null,
    skipped bigint not null,
    failed bigint not null,
    reason text,
    -- The next piece, and how many of its rows are done.
    chunk bigint not null,
    chunk_row bigint not null,
    -- Who imports it, and until when nobody else does.
    lease_token text,
    lease_until bigint,
    -- When something of it is to be swept away.
    sweep_at bigint,
    created_at bigint not null,
    updated_at bigint not null,
    ended_at bigint
);
create index import_page on import (organization_id, id);
create index import_running on import (organization_id, id) where state = 'running';
create index import_sweep on import (sweep_at) where sweep_at is not null;

create table import_chunk (
    import_id text not null references import (id),
    n bigint not null,
    -- Where it begins in the user's file.
    line bigint not null,
    text text not null,
    primary key (import_id, n)
);

-- Rows that were not imported, for download.
create table import_reject (
    import_id text not null references import (id),
    round bigint not null,
    line bigint not null,
    field text not null,
    reason text not null,
    -- A JSON list.
    cells text not null,
    primary key (import_id, round, line)
);

-- What a dry run would have stored: people by their addresses (key), and by themselves.
create table import_seen (
    import_id text not null references import (id),
    round bigint not null,
    key text not null,
    lead_id text not null,
    state text,
    primary key (import_id, round, key)
);

-- Which imports a lead came from, or was changed by.
create table import_lead (
    lead_id text not null references lead (id) on delete cascade,
    import_id text not null references import (id),
    primary key (lead_id, import_id)
);

-- What the columns of files with these names meant last time.
create table import_mapping (
    organization_id text not null references organization (id),
    -- SHA-256 of the names.
    columns text not null,
    mapping text not null,
    updated_at bigint not null,
    primary key (organization_id, columns)
);
