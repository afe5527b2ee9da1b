//! Templates: written, looked at with a lead, changed version by version, forgotten.

use crate::{
    api::error::{ApiError, Kind},
    domain::{
        audience::Audience,
        field_error::FieldErrors,
        id::{LeadId, OrganizationId, TemplateId},
        lead::Lead,
        page::{Limit, Page},
        sequence::Step,
        template::{Draft, NewTemplate, Preview, Template, TemplateFilter, TemplateForm, Version},
    },
    server::{
        App, Who,
        error::Error,
        live::Topic,
        store::{self, Conn, template::NewVersion},
        template::{Compiled, Context, Fault, RenderError, Sender},
    },
};
use std::sync::Arc;

/// Stores a template, whose texts must hold.
pub async fn create(who: &Who, form: &TemplateForm) -> Result<Template, Error> {
    let NewTemplate { name, draft } = form.parse()?;
    let (app, organization) = (&who.app, &who.organization.id);
    let (id, now): (TemplateId, _) = (app.new_id(), app.clock.now());
    let work = async |conn: &mut Conn| {
        store::lead::lock(conn, app.db.dialect, organization).await?;
        let version = checked(conn, who, &id, &draft).await?;
        store::template::insert(conn, &id, organization, &name, draft.channel, false, now).await?;
        store::template::add_versions(conn, app.db.dialect, organization, &[version], now).await?;
        Ok::<_, Error>(())
    };
    app.db.write(work).await?;
    changed(who, Some(&id));
    load(who, &id).await
}

/// Stores what a template says now: `change` is told what it said before. Another text is another version.
pub async fn update(
    who: &Who,
    id: &TemplateId,
    change: impl FnOnce(TemplateForm) -> TemplateForm,
) -> Result<Template, Error> {
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let work = async |conn: &mut Conn| {
        store::lead::lock(conn, app.db.dialect, organization).await?;
        let before = find(conn, who, id).await?;
        let NewTemplate { name, draft } = change(TemplateForm::from(&before)).parse()?;
        if draft.channel != before.channel {
            let advice = format!("stays {}: make another template for another channel", before.channel.as_str());
            return Err(FieldErrors::one("channel", advice).into());
        }
        if draft.body != before.body || draft.subject != before.subject {
            let version = checked(conn, who, id, &draft).await?;
            store::template::add_versions(conn, app.db.dialect, organization, &[version], now).await?;
        }
        if name != before.name {
            store::template::rename(conn, id, organization, &name, now).await?;
        }
        Ok::<_, Error>(())
    };
    app.db.write(work).await?;
    changed(who, Some(id));
    load(who, id).await
}

/// Says again what a version said, as a new one, with the snippets as they are now.
pub async fn restore(who: &Who, id: &TemplateId, version: u32) -> Result<Template, Error> {
    let found =
        store::template::find_version(&mut *who.app.db.read().await?, id, &who.organization.id, version).await?;
    let old = found.ok_or_else(Error::not_found)?;
    update(who, id, |form| TemplateForm { subject: old.subject.unwrap_or_default(), body: old.body, ..form }).await
}

/// The texts with the snippets that they use, if all of it holds.
async fn checked(conn: &mut Conn, who: &Who, id: &TemplateId, draft: &Draft) -> Result<NewVersion, Error> {
    let names = Compiled::includes(&draft.body);
    let snippets = store::snippet::texts(conn, who.app.db.dialect, &who.organization.id, &names).await?;
    Compiled::new(Some(id), draft, &snippets).map_err(refused)?;
    Ok(NewVersion { id: id.clone(), subject: draft.subject.clone(), body: draft.body.clone(), snippets })
}

/// Faults of texts, each beside its field.
pub(super) fn refused(faults: Vec<Fault>) -> Error {
    let (mut fields, at) = (FieldErrors::default(), faults.first().and_then(|fault| fault.at));
    for fault in &faults {
        match fault.field.as_str() {
            "subject" | "body" => fields.add(&fault.field, fault.to_string()),
            snippet => fields.add("body", format!("uses the snippet {snippet}: {fault}")),
        }
    }
    let first = fields.0.first();
    let message = first.map_or_else(String::new, |first| format!("The {}, {}", first.field, first.message));
    ApiError { fields, at, ..ApiError::new(Kind::Invalid, "invalid_template", message) }.into()
}

async fn find(conn: &mut Conn, who: &Who, id: &TemplateId) -> Result<Template, Error> {
    store::template::find(conn, id, &who.organization.id).await?.ok_or_else(Error::not_found)
}

/// One template.
pub async fn load(who: &Who, id: &TemplateId) -> Result<Template, Error> {
    find(&mut *who.app.db.read().await?, who, id).await
}

/// One page of them, newest first.
pub async fn list(who: &Who, filter: &TemplateFilter, limit: Limit) -> Result<Page<Template>, Error> {
    Ok(store::template::list(&mut *who.app.db.read().await?, &who.organization.id, filter, limit).await?)
}

/// One page of what a template said, newest first, before a version.
pub async fn versions(who: &Who, id: &TemplateId, before: Option<u32>, limit: Limit) -> Result<Page<Version>, Error> {
    let mut conn = who.app.db.read().await?;
    find(&mut conn, who, id).await?;
    Ok(store::template::list_versions(&mut conn, id, &who.organization.id, before, limit).await?)
}

/// The names of custom fields that leads have, and those of snippets: what an author may choose from.
pub async fn words(who: &Who) -> Result<(Vec<String>, Vec<String>), Error> {
    let (mut conn, organization) = (who.app.db.read().await?, &who.organization.id);
    let custom = store::lead::custom_keys(&mut conn, who.app.db.dialect, organization).await?;
    let snippets = store::snippet::list(&mut conn, organization, None, Limit::default()).await?;
    Ok((custom, snippets.data.into_iter().map(|snippet| snippet.name).collect()))
}

/// What a lead would get of the current version; no lead: the newest, or an example.
pub async fn preview(who: &Who, id: &TemplateId, lead: Option<&LeadId>) -> Result<Preview, Error> {
    let mut conn = who.app.db.read().await?;
    let template = find(&mut conn, who, id).await?;
    let version = store::template::find_version(&mut conn, id, &who.organization.id, template.version).await?;
    let version = version.ok_or_else(Error::not_found)?;
    let compiled = Compiled::of_version(id, template.channel, &version).map_err(refused)?;
    let draft = Draft { channel: template.channel, subject: None, body: String::new() };
    seen(&mut conn, who, &draft, &compiled, lead, "").await
}

/// What a lead would get of a text that is not stored; `id` is that of the template that it is to be in. No lead: the newest
/// that `q` finds, or an example.
pub async fn preview_draft(
    who: &Who,
    id: Option<&TemplateId>,
    form: &TemplateForm,
    lead: Option<&LeadId>,
    q: &str,
) -> Result<Preview, Error> {
    let draft = form.draft()?;
    let mut conn = who.app.db.read().await?;
    let names = Compiled::includes(&draft.body);
    let snippets = store::snippet::texts(&mut conn, who.app.db.dialect, &who.organization.id, &names).await?;
    let compiled = Compiled::new(id, &draft, &snippets).map_err(refused)?;
    seen(&mut conn, who, &draft, &compiled, lead, q).await
}

async fn seen(
    conn: &mut Conn,
    who: &Who,
    draft: &Draft,
    compiled: &Compiled,
    lead_id: Option<&LeadId>,
    q: &str,
) -> Result<Preview, Error> {
    let (organization, dialect) = (&who.organization.id, who.app.db.dialect);
    let found = match lead_id {
        Some(id) => {
            let found = store::lead::find(conn, dialect, id, organization).await?;
            Some(found.ok_or_else(|| Error::missing("Lead not found"))?)
        }
        None => newest(conn, who, q).await?,
    };
    let lead_id = found.as_ref().map(|lead| lead.id.clone());
    let lead = found.unwrap_or_else(Context::example_lead);
    let account = store::account::find_default(conn, organization, draft.channel).await?;
    let sender = account.map(|found| Sender { name: found.account.display_name, address: found.account.address });
    let unsubscribe = format!("{}/u/example", who.app.settings.public_url());
    let context = Context::new(&lead, sender.as_ref(), Some(&unsubscribe));
    let (made, missing) = compiled.preview(&context).map_err(|error| match error {
        RenderError::Failed(fault) => refused(vec![fault]),
        RenderError::TooLong(field, max) => {
            FieldErrors::one(field, format!("becomes longer than {max} characters for {}", lead.label())).into()
        }
        other => FieldErrors::one("body", other.to_string()).into(),
    })?;
    let preview = Preview {
        subject: made.subject,
        body: made.body,
        encoding: None,
        segments: 1,
        forced_by: Vec::new(),
        missing,
        lead_id,
        lead: lead.label().to_owned(),
    };
    Ok(preview.count(draft.channel))
}

/// The newest lead that a search finds.
async fn newest(conn: &mut Conn, who: &Who, q: &str) -> Result<Option<Lead>, Error> {
    let audience = Audience { q: q.chars().take(200).collect(), ..Audience::default() }.parse()?;
    let (app, organization, one) = (&who.app, &who.organization.id, Limit::parse("1").unwrap_or_default());
    let (searched, now) = (store::audience::SEARCHED, app.clock.now());
    let found = store::audience::list(conn, app.db.dialect, organization, &audience, None, one, searched, now).await?;
    Ok(found.data.into_iter().next())
}

/// A version that a step holds on to, compiled once for all leads.
pub async fn pinned(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    step: &Step,
) -> Result<Arc<Compiled>, Error> {
    let place = (organization.clone(), step.template_id.clone(), step.template_version);
    if let Some(text) = app.texts.get(&place) {
        return Ok(text);
    }
    let found = store::template::find_version(conn, &step.template_id, organization, step.template_version).await?;
    let version = found.ok_or_else(|| Error::Internal("a template's version is missing".to_owned()))?;
    let compiled = Compiled::of_version(&step.template_id, step.channel, &version).map_err(refused)?;
    Ok(app.texts.keep(place, compiled))
}

/// Forgets a template with all its versions, unless somebody holds on to one.
pub async fn delete(who: &Who, id: &TemplateId) -> Result<(), Error> {
    let (app, organization) = (&who.app, &who.organization.id);
    let work = async |conn: &mut Conn| {
        store::lead::lock(conn, app.db.dialect, organization).await?;
        if let Some(holder) = store::template::holder(conn, id, organization).await? {
            let message = format!("It is used by {holder}");
            return Err(Error::conflict("template_in_use", &message));
        }
        if !store::template::delete(conn, id, organization).await? {
            return Err(Error::not_found());
        }
        Ok(())
    };
    app.db.write(work).await?;
    changed(who, Some(id));
    Ok(())
}

pub(super) fn changed(who: &Who, id: Option<&TemplateId>) {
    who.app.live.publish(&who.organization.id, Topic::Templates, id.map(TemplateId::as_str));
}
