//! Snippets: pieces that templates share. Another text of one is another version of every template that uses it.

use super::template::{changed, refused};
use crate::{
    api::error::{ApiError, Kind},
    domain::{
        field_error::FieldErrors,
        id::SnippetId,
        page::{Limit, Page},
        template::{Draft, Snippet, Template, parse_snippet_name, parse_source},
    },
    server::{
        Who,
        error::Error,
        store::{self, Conn, template::NewVersion},
        template::{Compiled, Fault},
    },
};

/// Name and text, if both hold.
fn parse(name: &str, body: &str) -> Result<(String, String), Error> {
    let name = parse_snippet_name(name).map_err(|why| FieldErrors::one("name", why));
    let body = parse_source(body).map_err(|why| FieldErrors::one("body", why));
    let (name, body) = FieldErrors::both(name, body)?;
    Compiled::check_snippet(&body).map_err(|fault| refused(vec![fault]))?;
    Ok((name, body))
}

/// Stores a snippet.
pub async fn create(who: &Who, name: &str, body: &str) -> Result<Snippet, Error> {
    let (name, body) = parse(name, body)?;
    let (app, organization) = (&who.app, &who.organization.id);
    let (id, now): (SnippetId, _) = (app.new_id(), app.clock.now());
    let work = async |conn: &mut Conn| {
        store::lead::lock(conn, app.db.dialect, organization).await?;
        refuse_same(conn, who, &name, None).await?;
        store::snippet::save(conn, &id, organization, (&name, &body), now).await?;
        Ok::<_, Error>(())
    };
    app.db.write(work).await?;
    changed(who, None);
    load(who, &id).await
}

/// Stores what a snippet says now: `change` is told its name and text of before. The templates that use it get new versions.
pub async fn update(
    who: &Who,
    id: &SnippetId,
    change: impl FnOnce(String, String) -> (String, String),
) -> Result<Snippet, Error> {
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let work = async |conn: &mut Conn| {
        store::lead::lock(conn, app.db.dialect, organization).await?;
        let before = find(conn, who, id).await?;
        let (name, body) = change(before.name.clone(), before.body.clone());
        let (name, body) = parse(&name, &body)?;
        if name != before.name {
            refuse_used(&before, "be called something else")?;
            refuse_same(conn, who, &name, Some(id)).await?;
        }
        store::snippet::save(conn, id, organization, (&name, &body), now).await?;
        if body != before.body {
            let templates = store::template::list_using(conn, organization, &name).await?;
            let versions = next_versions(conn, who, templates).await?;
            store::template::add_versions(conn, app.db.dialect, organization, &versions, now).await?;
        }
        Ok::<_, Error>(())
    };
    app.db.write(work).await?;
    changed(who, None);
    load(who, id).await
}

/// The same templates with the snippets as they are now.
async fn next_versions(conn: &mut Conn, who: &Who, templates: Vec<Template>) -> Result<Vec<NewVersion>, Error> {
    let names: Vec<String> = templates.iter().flat_map(|template| Compiled::includes(&template.body)).collect();
    let texts = store::snippet::texts(conn, who.app.db.dialect, &who.organization.id, &names).await?;
    let mut versions = Vec::new();
    for Template { id, name, channel, subject, body, .. } in templates {
        let draft = Draft { channel, subject, body };
        let compiled = Compiled::new(Some(&id), &draft, &texts).map_err(|faults| {
            let placed = |fault: Fault| Fault { reason: format!("{} (in the template {name})", fault.reason), ..fault };
            refused(faults.into_iter().map(placed).collect())
        })?;
        let used = compiled.snippets();
        let snippets = texts.iter().filter(|(name, _)| used.contains(name));
        let snippets = snippets.map(|(name, text)| (name.clone(), text.clone())).collect();
        versions.push(NewVersion { id, subject: draft.subject, body: draft.body, snippets });
    }
    Ok(versions)
}

/// One name once.
async fn refuse_same(conn: &mut Conn, who: &Who, name: &str, but: Option<&SnippetId>) -> Result<(), Error> {
    let found = store::snippet::find_named(conn, &who.organization.id, name).await?;
    let Some(other) = found.filter(|other| Some(other) != but) else { return Ok(()) };
    let conflict = ApiError::new(Kind::Conflict, "duplicate_snippet", "Another snippet is called so already");
    let fields = FieldErrors::one("name", "is the name of another snippet");
    Err(ApiError { other: Some(other.to_string()), fields, ..conflict }.into())
}

fn refuse_used(snippet: &Snippet, what: &str) -> Result<(), Error> {
    let by = match snippet.used_by {
        0 => return Ok(()),
        1 => "one template uses".to_owned(),
        many => format!("{many} templates use"),
    };
    Err(Error::conflict("snippet_in_use", &format!("It cannot {what} while {by} it")))
}

async fn find(conn: &mut Conn, who: &Who, id: &SnippetId) -> Result<Snippet, Error> {
    store::snippet::find(conn, id, &who.organization.id).await?.ok_or_else(Error::not_found)
}

/// One snippet.
pub async fn load(who: &Who, id: &SnippetId) -> Result<Snippet, Error> {
    find(&mut *who.app.db.read().await?, who, id).await
}

/// One page of them, newest first.
pub async fn list(who: &Who, cursor: Option<&SnippetId>, limit: Limit) -> Result<Page<Snippet>, Error> {
    Ok(store::snippet::list(&mut *who.app.db.read().await?, &who.organization.id, cursor, limit).await?)
}

/// Forgets a snippet that no template uses; versions of before keep its text.
pub async fn delete(who: &Who, id: &SnippetId) -> Result<(), Error> {
    let (app, organization) = (&who.app, &who.organization.id);
    let work = async |conn: &mut Conn| {
        store::lead::lock(conn, app.db.dialect, organization).await?;
        refuse_used(&find(conn, who, id).await?, "be deleted")?;
        store::snippet::delete(conn, id, organization).await?;
        Ok::<_, Error>(())
    };
    app.db.write(work).await?;
    changed(who, None);
    Ok(())
}
