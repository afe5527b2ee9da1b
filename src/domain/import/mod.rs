//! Imports: a file of leads on its way into an organization, and how far it is.

pub mod cell;
pub mod column;
pub mod delimiter;

use super::{
    field_error::FieldErrors,
    id::ImportId,
    lead::parse_tag,
    text::parse_line,
    time::{DAY, Timestamp},
};
use column::Field;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Rows of a file that are shown before it is imported.
pub const PREVIEW: usize = 20;
/// The most columns of a file.
pub const COLUMNS_MAX: usize = 200;
/// A file that nobody imports is forgotten after so long, in milliseconds.
pub const DRAFT_KEPT: i64 = DAY;
/// Rejected rows can be downloaded for so long, in milliseconds.
pub const REJECTED_KEPT: i64 = 30 * DAY;
/// The most characters of a consent source.
const CONSENT_MAX: usize = 500;
/// The most tags that an import adds.
const TAGS_MAX: usize = 20;

/// Where an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The file is still on its way; nobody sees it.
    Uploading,
    /// The file is here, and waits for somebody to say what its columns mean.
    Draft,
    /// Its rows are read.
    Running,
    /// All rows were read.
    Done,
    /// It cannot go on; what was imported stays.
    Failed,
    /// Somebody stopped it, or nobody began it; what was imported stays.
    Canceled,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Uploading, Self::Draft, Self::Running, Self::Done, Self::Failed, Self::Canceled];

    /// The name in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uploading => "uploading",
            Self::Draft => "draft",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What becomes of a row whose person is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDuplicate {
    /// What the row knows overwrites, empty cells change nothing; custom fields and tags are added.
    #[default]
    Update,
    /// The lead stays as it is.
    Skip,
}

impl OnDuplicate {
    /// The name in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Skip => "skip",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Update, Self::Skip].into_iter().find(|known| known.as_str() == text)
    }
}

/// How many rows became what; each row is counted once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// New leads.
    pub created: i64,
    /// Rows whose person was there, or stood further up in the file.
    pub updated: i64,
    /// The same, when duplicates are to be skipped.
    pub skipped: i64,
    /// Rejected rows.
    pub failed: i64,
}

impl Counts {
    /// All rows that were read.
    pub fn rows(self) -> i64 {
        self.created + self.updated + self.skipped + self.failed
    }

    /// These and others.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self {
            created: self.created + others.created,
            updated: self.updated + others.updated,
            skipped: self.skipped + others.skipped,
            failed: self.failed + others.failed,
        }
    }
}

/// How the rows are read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Options {
    /// What becomes of duplicates.
    pub on_duplicate: OnDuplicate,
    /// The country of numbers without country code, ISO 3166; empty: such numbers are rejected.
    pub default_country: String,
    /// Tags that every lead of the file gets, in lower case.
    pub tags: BTreeSet<String>,
    /// Why these people may be written to: "trade fair 2026, paper form".
    pub consent_source: String,
}

impl Options {
    /// Reads a form. `is_country`: whether there is such a country.
    pub fn parse(
        on_duplicate: &str,
        default_country: &str,
        tags: &str,
        consent_source: &str,
        is_country: impl Fn(&str) -> bool,
    ) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let on_duplicate = match on_duplicate.trim() {
            "" => OnDuplicate::default(),
            text => errors
                .check("on_duplicate", OnDuplicate::parse(text).ok_or("must be update or skip"))
                .unwrap_or_default(),
        };
        let default_country = default_country.trim().to_uppercase();
        if !default_country.is_empty() && !is_country(&default_country) {
            errors.add("default_country", "must be two letters like US or DE");
        }
        let tags = tags.split(',').filter(|tag| !tag.trim().is_empty());
        let tags: BTreeSet<String> = tags.filter_map(|tag| errors.check("tags", parse_tag(tag))).collect();
        if tags.len() > TAGS_MAX {
            errors.add("tags", format!("must be at most {TAGS_MAX}"));
        }
        let consent_source = match consent_source.trim() {
            "" => String::new(),
            text => errors.check("consent_source", parse_line(text, CONSENT_MAX)).unwrap_or_default(),
        };
        let options = Self { on_duplicate, default_country, tags, consent_source };
        if errors.is_empty() { Ok(options) } else { Err(errors) }
    }
}

/// An import in the shape of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// Identifier.
    pub id: ImportId,
    /// Where it is.
    pub state: State,
    /// True when nothing is changed: it only counts.
    pub dry_run: bool,
    /// The file's own name; may be empty.
    pub file_name: String,
    /// How the file was read: `UTF-8`, `windows-1252`, `xlsx`.
    pub encoding: String,
    /// What stands between its cells; empty for a workbook.
    pub delimiter: String,
    /// Whether its first row names the columns.
    pub has_header: bool,
    /// Names of its columns.
    pub columns: Vec<String>,
    /// What each column means, in their order; `ignore` is nothing.
    pub mapping: Vec<Field>,
    /// How its rows are read.
    #[serde(flatten)]
    pub options: Options,
    /// Rows in the file, without the one that names the columns and without empty ones.
    pub rows_total: i64,
    /// Rows that were read.
    pub rows_done: i64,
    /// What became of them.
    #[serde(flatten)]
    pub counts: Counts,
    /// Why it failed.
    pub reason: Option<String>,
    /// Uploaded.
    pub created_at: Timestamp,
    /// Last progress.
    pub updated_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl Import {
    /// Whether its file is still there to be imported.
    pub fn can_start(&self, now: Timestamp) -> bool {
        let is_checked = self.state == State::Done && self.dry_run;
        (self.state == State::Draft || is_checked) && self.updated_at.plus(DRAFT_KEPT) > now
    }

    /// How much of it is done, in hundredths.
    pub fn percent(&self) -> i64 {
        if self.rows_total == 0 { 100 } else { self.rows_done * 100 / self.rows_total }
    }
}

/// A row that was not imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Where it begins in the user's file; for a workbook the row of the sheet.
    pub line: i64,
    /// The column that is at fault; empty when it is the row.
    pub column: String,
    /// A sentence without full stop.
    pub reason: String,
    /// The row.
    pub cells: Vec<String>,
}

/// What the pages of an import show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The import.
    pub import: Import,
    /// Its first rows.
    pub sample: Vec<Vec<String>>,
    /// The first rejected rows.
    pub rejected: Vec<Rejected>,
    /// Whether it can still be started.
    pub can_start: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(on_duplicate: &str, country: &str, tags: &str, consent: &str) -> Result<Options, FieldErrors> {
        Options::parse(on_duplicate, country, tags, consent, |country| country == "DE")
    }

    #[test]
    fn options_are_read_in_the_one_way_in_which_they_are_stored() {
        let options = parse("skip", " de ", "VIP, Fair  2026,", " Fair 2026, paper form ").expect("options");
        assert_eq!((options.on_duplicate, options.default_country.as_str()), (OnDuplicate::Skip, "DE"));
        assert_eq!(options.tags, BTreeSet::from(["fair 2026".to_owned(), "vip".to_owned()]));
        assert_eq!(options.consent_source, "Fair 2026, paper form");
        assert_eq!(parse("", "", "", ""), Ok(Options::default()));
    }

    #[test]
    fn what_is_no_option_names_its_field() {
        for (bad, field) in [
            (parse("merge", "", "", ""), "on_duplicate"),
            (parse("", "Germany", "", ""), "default_country"),
            (parse("", "", "a\u{200b}b", ""), "tags"),
            (parse("", "", "", "a\u{0}b"), "consent_source"),
        ] {
            assert!(bad.expect_err(field).of(field).is_some(), "{field}");
        }
    }
}
