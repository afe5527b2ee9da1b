-- What can be sent again: "Retry failed" walks through these and not through history. Only a failure that may pass is in
-- it; the same words stand in the statements, or the index would not be used.
create index message_failed on message (organization_id, id)
    where status in ('failed', 'undelivered') and coalesce(error_retryable, 'yes') = 'yes';
