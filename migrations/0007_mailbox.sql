-- Mailboxes: what comes back by mail is the only word that follows a mail, so an account may have its mailbox read.
--
-- One row for each account that wants it; where it is and who signs in stands in the account's settings, the password in
-- its secret.
create table mailbox (
    account_id text primary key not null references account (id),
    -- How far it was read: UIDVALIDITY and the next UID; null before the first look. Written in the transaction that joins
    -- what was read, so nothing is skipped by a crash; what is read twice is told by webhook_call.
    uid_validity bigint,
    uid_next bigint,
    -- The next look; whoever takes one moves it on, so that two processes do not look at the same time.
    next_at bigint not null,
    -- Looks in a row that failed, and what the last of them said.
    failures bigint not null default 0,
    last_error text
);
create index mailbox_due on mailbox (next_at);
