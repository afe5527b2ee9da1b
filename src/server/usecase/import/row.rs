//! From a row of a file to a lead, or to a reason why not.

use crate::{
    domain::{
        email::Email,
        field_error::FieldErrors,
        import::{
            Import, OnDuplicate,
            cell::{is_shortened, unguard},
            column::Field,
        },
        lead::{LeadForm, NewLead, Number},
        phone::PhoneNumber,
    },
    server::{
        bucket::is_zone,
        phone,
        table::{self, Chunk, Row},
    },
};
use csv::StringRecord;
use rlibphonenumber::Region;
use std::collections::BTreeSet;

/// How the rows of an import are read.
#[derive(Debug)]
pub struct Plan {
    mapping: Vec<Field>,
    columns: Vec<String>,
    region: Option<Region>,
    tags: BTreeSet<String>,
    delimiter: String,
    has_header: bool,
    /// What becomes of people who are there.
    pub on_duplicate: OnDuplicate,
}

impl Plan {
    /// As an import says.
    pub fn of(import: &Import) -> Self {
        Self {
            mapping: import.mapping.clone(),
            columns: import.columns.clone(),
            region: phone::region(&import.options.default_country),
            tags: import.options.tags.clone(),
            delimiter: import.delimiter.clone(),
            has_header: import.has_header,
            on_duplicate: import.options.on_duplicate,
        }
    }

    /// The name of the column that says a field of a lead; the field's own name when no column does.
    pub fn column_of(&self, field: &str) -> String {
        let is_it = |mapped: &Field| match mapped {
            Field::FirstName | Field::LastName => field == "name",
            mapped => mapped.as_text() == field,
        };
        let at = self.mapping.iter().position(is_it);
        at.and_then(|at| self.columns.get(at)).cloned().unwrap_or_else(|| field.to_owned())
    }
}

/// Why a row is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The column; empty when it is the row.
    pub column: String,
    /// A sentence without full stop.
    pub reason: String,
}

/// A good row.
#[derive(Debug, Clone)]
pub struct Person {
    /// What it says.
    pub lead: NewLead,
    /// By which addresses they are known; see `PhoneNumber::key`.
    pub phone_key: Option<String>,
    /// The same.
    pub whatsapp_key: Option<String>,
}

impl Person {
    /// All addresses by which somebody may be known already.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let email = self.lead.email.as_ref().map(Email::as_str);
        email.into_iter().chain(self.phone_key.as_deref()).chain(self.whatsapp_key.as_deref())
    }
}

/// A row that was read.
#[derive(Debug)]
pub struct Entry {
    /// Where it begins in the user's file.
    pub line: i64,
    /// As it stands there.
    pub cells: StringRecord,
    /// Whom it means.
    pub person: Result<Person, Fault>,
}

/// Reads the `n`th piece of a file.
pub fn read(plan: &Plan, n: i64, chunk: &Chunk) -> Vec<Entry> {
    let names = usize::from(n == 0 && plan.has_header);
    table::rows(chunk, &plan.delimiter).into_iter().skip(names).map(|row| entry(plan, row)).collect()
}

fn entry(plan: &Plan, Row { line, cells }: Row) -> Entry {
    let person = form(plan, &cells).and_then(|form| parse(plan, &form));
    Entry { line, cells, person }
}

/// A row may be shorter than the first one; what it has more must be empty.
fn form(plan: &Plan, cells: &StringRecord) -> Result<LeadForm, Fault> {
    let more = cells.iter().skip(plan.mapping.len()).any(|cell| !cell.trim().is_empty());
    if more {
        let reason = format!("has {} cells, but the file has {} columns", cells.len(), plan.mapping.len());
        return Err(Fault { column: String::new(), reason });
    }
    let mut form = LeadForm::default();
    let (mut first, mut last) = (String::new(), String::new());
    for (field, cell) in plan.mapping.iter().zip(cells) {
        let cell = unguard(cell.trim()).trim();
        if cell.is_empty() {
            continue;
        }
        let line;
        let cell = if *field != Field::Notes && cell.contains(['\n', '\t']) {
            line = cell.replace(['\n', '\t'], " ");
            &line
        } else {
            cell
        };
        match field {
            Field::Ignore => {}
            Field::Name => cell.clone_into(&mut form.name),
            Field::FirstName => cell.clone_into(&mut first),
            Field::LastName => cell.clone_into(&mut last),
            Field::Company => cell.clone_into(&mut form.company),
            Field::Email => cell.clone_into(&mut form.email),
            Field::Phone => cell.clone_into(&mut form.phone),
            Field::Whatsapp => cell.clone_into(&mut form.whatsapp),
            Field::TimeZone => cell.clone_into(&mut form.time_zone),
            Field::Notes => cell.clone_into(&mut form.notes),
            Field::Tags => form.tags = cell.split([',', ';']).map(str::to_owned).collect(),
            Field::Custom(key) => form.custom.push((key.clone(), cell.to_owned())),
        }
    }
    if form.name.is_empty() {
        format!("{first} {last}").trim().clone_into(&mut form.name);
    }
    form.tags.extend(plan.tags.iter().cloned());
    Ok(form)
}

fn parse(plan: &Plan, form: &LeadForm) -> Result<Person, Fault> {
    let number = |text: &str| {
        phone::parse_in(text, plan.region).map_err(|wrong| {
            if is_shortened(text) {
                "was shortened by a spreadsheet; make the column text there and save it again".to_owned()
            } else {
                wrong.to_string()
            }
        })
    };
    let lead = form.parse(number, is_zone).map_err(|errors| fault(plan, &errors))?;
    let key = |number: &Option<Number>| number.as_ref().map(|number| PhoneNumber::key(&number.dialled));
    let (phone_key, whatsapp_key) = (key(&lead.phone), key(&lead.whatsapp));
    Ok(Person { lead, phone_key, whatsapp_key })
}

/// The first fault names its column; others follow in its words.
fn fault(plan: &Plan, errors: &FieldErrors) -> Fault {
    let mut faults = errors.0.iter().map(|error| (plan.column_of(&error.field), error.message.as_str()));
    let (column, first) = faults.next().unwrap_or_default();
    let others = faults.map(|(column, message)| format!("; {column} {message}"));
    Fault { column, reason: std::iter::once(first.to_owned()).chain(others).collect() }
}
