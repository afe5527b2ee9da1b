-- Lists of leads in the order of the alphabet: by what people see of one, and by company, those without one last.
create index lead_name on lead (organization_id, coalesce(nullif(lower(name), ''), email, phone_number, whatsapp_number, ''), id);
create index lead_company on lead (organization_id, (case when company is null then '1' else '0' || lower(company) end), id);
