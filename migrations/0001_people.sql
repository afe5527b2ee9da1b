-- People: who signs in, for which organization, from which browser, with which key.
--
-- One dialect for SQLite and PostgreSQL: only text and bigint; ids are ULIDs made by the application (they sort by time);
-- instants are unix milliseconds; yes/no is a nullable instant.

-- The tenant. Every other row belongs to one.
create table organization (
    id text primary key not null,
    name text not null,
    created_at bigint not null
);

-- A person. ("user" is a reserved word in PostgreSQL.) organization_id is null for somebody who belongs to none yet.
create table app_user (
    id text primary key not null,
    email text not null unique,
    -- Argon2id in PHC form, with its own salt and parameters.
    password_hash text not null,
    role text not null check (role in ('owner', 'member')),
    organization_id text references organization (id),
    created_at bigint not null
);

-- A signed-in browser. The cookie holds the token; only its SHA-256 is here, so a stolen database signs nobody in.
create table session (
    id text primary key not null,
    token_hash text not null unique,
    user_id text not null references app_user (id) on delete cascade,
    user_agent text not null,
    created_at bigint not null,
    -- To the minute: a write per request would be an fsync per request.
    seen_at bigint not null,
    -- Absolute end; the idle end follows from seen_at.
    expires_at bigint not null
);
create index session_owner on session (user_id, id);

-- A key for programs; hashed like a session token (256 random bits need no slow hash).
create table api_key (
    id text primary key not null,
    organization_id text not null references organization (id),
    user_id text not null references app_user (id) on delete cascade,
    name text not null,
    prefix text not null,
    key_hash text not null unique,
    created_at bigint not null,
    last_used_at bigint
);
create index api_key_organization on api_key (organization_id, id);

-- Wrong guesses of passwords, by hashed address and by network address: in the database, so that neither a restart nor a
-- second process forgets them.
create table guess (
    key text primary key not null,
    failures bigint not null,
    -- Failures older than this window are forgotten.
    window_until bigint not null
);

-- One sealed known value per encryption key: tells at start whether the configured keys fit the stored secrets.
create table vault_canary (
    key_id text primary key not null,
    sealed text not null,
    created_at bigint not null
);
