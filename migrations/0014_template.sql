-- Templates: texts with variables. What one says is in its versions, which never change.
create table template (
    id text primary key not null,
    organization_id text not null references organization (id),
    name text not null,
    channel text not null,
    -- The current version.
    version bigint not null,
    demo_at bigint,
    created_at bigint not null,
    updated_at bigint not null
);
-- The templates page, newest first.
create index template_page on template (organization_id, id);

create table template_version (
    template_id text not null references template (id) on delete cascade,
    version bigint not null,
    organization_id text not null,
    subject text,
    body text not null,
    -- A JSON object: the texts of the snippets that it uses, by name.
    snippets text not null,
    created_at bigint not null,
    primary key (template_id, version)
);

-- Pieces that templates share.
create table snippet (
    id text primary key not null,
    organization_id text not null references organization (id),
    name text not null,
    body text not null,
    created_at bigint not null,
    updated_at bigint not null
);
create index snippet_page on snippet (organization_id, id);
create unique index snippet_name on snippet (organization_id, name);

-- Which templates use a snippet now.
create table template_snippet (
    organization_id text not null,
    name text not null,
    template_id text not null references template (id) on delete cascade,
    primary key (organization_id, name, template_id)
);
create index template_snippet_template on template_snippet (template_id);
