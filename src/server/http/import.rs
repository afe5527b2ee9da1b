//! Imports of leads, and their export.

use super::{
    HttpState,
    params::{Id, Params},
};
use crate::{
    api::error::{ApiError, Kind},
    domain::{
        audience::Order,
        field_error::FieldErrors,
        id::ImportId,
        import::{Import, Options, cell::guard},
        lead::Lead,
        page::{Limit, Page},
    },
    server::{
        Person, Who,
        error::Error,
        store::import::StoredImport,
        table::Wish,
        usecase::{import, lead},
    },
};
use axum::{
    Json,
    body::Body,
    extract::{FromRequest, FromRequestParts, Multipart, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use futures::{StreamExt, stream};
use std::collections::HashMap;

/// What a workbook says that it is.
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
/// A mark by which spreadsheets know UTF-8.
const BOM: &str = "\u{feff}";

/// What the parameters of an upload say.
struct Asked {
    mapping: Option<Vec<(String, String)>>,
    options: Options,
    is_dry: bool,
    wish: Wish,
    name: String,
}

impl Asked {
    fn read(mut params: Params) -> Result<Self, Error> {
        let flag = |text: &str| match text {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err("must be true or false"),
        };
        let pairs = |text: &str| serde_json::from_str::<HashMap<String, String>>(text);
        let mapping = params.read("mapping", |text| pairs(text).map_err(|_| "must be {column: field} as JSON"));
        let is_dry = params.read("dry_run", flag).unwrap_or_default();
        let has_header = params.read("has_header", flag);
        let text = |name: &str| params.text(name).unwrap_or_default();
        let options =
            import::options(text("on_duplicate"), text("default_country"), text("tags"), text("consent_source"));
        let (name, sheet) = (text("file_name").to_owned(), params.text("sheet").map(str::to_owned));
        let Some(options) = params.errors.join(options).filter(|_| params.errors.is_empty()) else {
            return Err(params.errors.into());
        };
        let mapping = mapping.map(|mapping| mapping.into_iter().collect());
        Ok(Self { mapping, options, is_dry, wish: Wish { sheet, has_header }, name })
    }
}

/// Takes the file of a request in: its body, or the part `file` of a form.
async fn receive(
    who: &Who,
    state: &HttpState,
    request: Request,
    name: &str,
    wish: Wish,
) -> Result<StoredImport, Error> {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    // A form has some bytes more than its file.
    if length.is_some_and(|length| length > who.app.settings.upload_max() + 64 * 1024) {
        return Err(import::upload::too_large(&who.app));
    }
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "text/csv" | "text/plain" | "text/tab-separated-values" | XLSX => {
            import::upload::receive(who, name, wish, request.into_body().into_data_stream()).await
        }
        "multipart/form-data" => {
            let unreadable = || ApiError::new(Kind::Invalid, "invalid_form", "The form cannot be read");
            let mut form = Multipart::from_request(request, state).await.map_err(|_| unreadable())?;
            while let Some(field) = form.next_field().await.map_err(|_| unreadable())? {
                if field.name() == Some("file") {
                    let given = field.file_name().unwrap_or(name).to_owned();
                    return import::upload::receive(who, &given, wish, Box::pin(field)).await;
                }
            }
            Err(FieldErrors::one("file", "is required").into())
        }
        _ => {
            let message = "Send text/csv, an XLSX workbook, or a form with a part called file";
            Err(ApiError::new(Kind::Unsupported, "unsupported_content_type", message).into())
        }
    }
}

/// Takes a file in and begins to import it.
pub async fn create(
    who: Who,
    State(state): State<HttpState>,
    params: Params,
    request: Request,
) -> Result<(StatusCode, Json<Import>), Error> {
    let Asked { mapping, options, is_dry, wish, name } = Asked::read(params)?;
    let stored = receive(&who, &state, request, &name, wish).await?;
    let import = import::begin(&who, stored, mapping.as_deref(), options, is_dry).await?;
    Ok((StatusCode::ACCEPTED, Json(import)))
}

/// The form of the page: afterwards the visitor looks at what the columns mean. Works without a script.
pub async fn upload(State(state): State<HttpState>, request: Request) -> Result<Response, Error> {
    let (mut parts, body) = request.into_parts();
    let who = Person::from_request_parts(&mut parts, &state).await?.who()?;
    let received = receive(&who, &state, Request::from_parts(parts, body), "", Wish::default()).await;
    let to = match received {
        Ok(stored) => format!("/leads/import/{}", stored.import.id),
        Err(error) => {
            let error = ApiError::from(error);
            if error.kind == Kind::Internal || error.kind == Kind::Unavailable {
                return Err(error.into());
            }
            format!("/leads/import?failed={}", error.code)
        }
    };
    Ok(Redirect::to(&to).into_response())
}

pub async fn load(who: Who, Id(id): Id<ImportId>) -> Result<Json<Import>, Error> {
    Ok(Json(import::load(&who, &id).await?))
}

pub async fn list(who: Who, mut params: Params) -> Result<Json<Page<Import>>, Error> {
    let (cursor, limit) = params.page();
    params.check()?;
    Ok(Json(import::list(&who, cursor.as_ref(), limit).await?))
}

pub async fn cancel(who: Who, Id(id): Id<ImportId>) -> Result<Json<Import>, Error> {
    Ok(Json(import::cancel(&who, &id).await?))
}

/// Begins what was only counted so far.
pub async fn start(who: Who, Id(id): Id<ImportId>) -> Result<(StatusCode, Json<Import>), Error> {
    Ok((StatusCode::ACCEPTED, Json(import::start(&who, &id, false).await?)))
}

/// The rejected rows, as a file that can be corrected and imported again: line, column, reason, then the row.
pub async fn errors(who: Who, Id(id): Id<ImportId>) -> Result<Response, Error> {
    let import = import::load(&who, &id).await?;
    let head: Vec<String> = ["line", "column", "reason"].map(str::to_owned).into_iter().chain(import.columns).collect();
    let head = format!("{BOM}{}", record(head.iter().map(String::as_str)));
    let rows = stream::try_unfold((who, id, 0_i64), |(who, id, after)| async move {
        let rows = import::rejected(&who, &id, after).await.map_err(torn)?;
        let Some(last) = rows.last().map(|row| row.line) else { return Ok(None) };
        let text: String = rows
            .iter()
            .map(|row| {
                let line = row.line.to_string();
                let front = [line.as_str(), row.column.as_str(), row.reason.as_str()];
                record(front.into_iter().chain(row.cells.iter().map(String::as_str)))
            })
            .collect();
        Ok(Some((text, (who, id, last))))
    });
    Ok(csv("errors.csv", stream::once(async { Ok(head) }).chain(rows)))
}

/// The columns of an export; one more for each custom field.
const COLUMNS: [&str; 9] =
    ["name", "company", "email", "phone", "whatsapp", "time_zone", "tags", "notes", "created_at"];

/// All leads that the list would show, page by page: no transaction is open between two pages, and one page is in memory.
pub async fn export(who: Who, mut params: Params) -> Result<Response, Error> {
    let audience = super::lead::audience(&mut params)?;
    let names = lead::custom_names(&who).await?;
    let head = COLUMNS.iter().map(|name| (*name).to_owned()).chain(names.iter().map(|name| format!("custom.{name}")));
    let head: Vec<String> = head.collect();
    let head = format!("{BOM}{}", record(head.iter().map(String::as_str)));
    let begin = Some((who, audience, names, None));
    let rows = stream::try_unfold(begin, |state| async move {
        let Some((who, audience, names, cursor)) = state else { return Ok(None) };
        let page = lead::list(&who, &audience, Order::Newest, cursor.as_ref(), Limit::EXPORT).await.map_err(torn)?;
        let text: String = page.data.iter().map(|lead| line(lead, &names)).collect();
        let next = page.next_cursor.and_then(|cursor| cursor.parse().ok());
        Ok(Some((text, next.map(|cursor| (who, audience, names, Some(cursor))))))
    });
    Ok(csv("leads.csv", stream::once(async { Ok(head) }).chain(rows)))
}

fn line(lead: &Lead, names: &[String]) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    // A number that was given without its country could not be read again.
    let number = |given: &Option<String>, dialled: &Option<crate::domain::phone::PhoneNumber>| match given {
        Some(given) if given.trim_start().starts_with('+') => given.clone(),
        _ => dialled.as_ref().map(ToString::to_string).unwrap_or_default(),
    };
    let cells = [
        lead.name.clone(),
        text(&lead.company),
        text(&lead.email),
        number(&lead.phone, &lead.phone_number),
        number(&lead.whatsapp, &lead.whatsapp_number),
        text(&lead.time_zone),
        lead.tags.join(", "),
        lead.notes.clone(),
        lead.created_at.to_string(),
    ];
    let custom = names.iter().map(|name| lead.custom.get(name).map_or("", String::as_str));
    record(cells.iter().map(String::as_str).chain(custom))
}

/// One record, with cells that no spreadsheet runs, as RFC 4180 has it.
fn record<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let quoted = |cell: &str| {
        let cell = guard(cell);
        if cell.contains(['"', ',', ';', '\n', '\r', '\t']) {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell
        }
    };
    format!("{}\r\n", cells.map(quoted).collect::<Vec<_>>().join(","))
}

/// In the middle of a file there is no status any more: the connection ends, so that the file is seen to be torn.
fn torn(error: Error) -> std::io::Error {
    std::io::Error::other(ApiError::from(error).message)
}

fn csv(name: &str, text: impl futures::Stream<Item = std::io::Result<String>> + Send + 'static) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    let mut response = Body::from_stream(text).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&disposition) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}
