//! Files of people as tables: text in any encoding and with any delimiter, or a workbook; in pieces of whole rows, so that
//! nobody ever holds a whole file.

mod cut;
mod text;
mod workbook;

use crate::domain::import::{
    COLUMNS_MAX, PREVIEW,
    column::{Field, guess, has_header},
};
use csv::{ReaderBuilder, StringRecord, StringRecordsIntoIter};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    str::Utf8Error,
};

/// The most characters of a column's name.
const NAME_MAX: usize = 100;
/// The most characters of a cell that is shown before the import.
const SHOWN_MAX: usize = 200;

/// Why a file is no table. The sentences are for the person who chose it.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is no row in it.
    #[error("The file has no rows")]
    Empty,
    /// Not one of the kinds that are read.
    #[error("The file is no table of text and no XLSX workbook. Save it as CSV or XLSX and try again")]
    NotATable,
    /// A row that does not end: somewhere a quote is opened and never closed.
    #[error("A row that begins in line {0} does not end: a quote in it is never closed")]
    Unclosed(i64),
    /// More columns than anybody maps.
    #[error("The file has more than {COLUMNS_MAX} columns")]
    TooWide,
    /// A workbook that cannot be read.
    #[error("The workbook cannot be read: {0}")]
    BadWorkbook(String),
    /// A workbook that unpacks to more than it should.
    #[error("The workbook unpacks to more than is accepted. Save the sheet as CSV and try again")]
    Unpacked,
    /// There is no such sheet.
    #[error("The workbook has no sheet of that name. It has: {0}")]
    NoSheet(String),
    /// Whoever takes the pieces does not want them any more.
    #[error("The import was ended")]
    Ended,
    /// The disk.
    #[error("The file could not be read: {0}")]
    Io(#[from] io::Error),
}

impl Refused {
    /// For programs, and for the page after a redirect.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty_file",
            Self::NotATable => "not_a_table",
            Self::Unclosed(_) => "unclosed_quote",
            Self::TooWide => "too_many_columns",
            Self::BadWorkbook(_) => "bad_workbook",
            Self::Unpacked => "unpacks_too_large",
            Self::NoSheet(_) => "no_such_sheet",
            Self::Ended | Self::Io(_) => "unreadable",
        }
    }
}

/// What is said of a file beforehand.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// The sheet of a workbook; the first when not said.
    pub sheet: Option<String>,
    /// Whether its first row names the columns; guessed when not said.
    pub has_header: Option<bool>,
}

/// Some whole rows of a file, in UTF-8, with `\n` between lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Where it begins in the user's file: a physical line, or a row of the sheet.
    pub line: i64,
    /// The rows.
    pub text: String,
}

/// What a file turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// `UTF-8`, `windows-1252`, `xlsx`.
    pub encoding: String,
    /// What stands between cells; empty for a workbook.
    pub delimiter: String,
    /// Whether its first row names the columns.
    pub has_header: bool,
    /// Its first rows, the one with names among them.
    pub first: Vec<Vec<String>>,
    /// Rows that are not empty, without the one with names.
    pub rows: i64,
}

/// Reads a file and hands its pieces out in their order.
pub fn read(file: &mut File, wish: &Wish, mut take: impl FnMut(Chunk) -> bool) -> Result<Table, Refused> {
    let mut head = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.by_ref().take(8).read_to_end(&mut head)?;
    file.seek(SeekFrom::Start(0))?;
    let mut cutter = cut::Cutter::new(&mut take);
    let is_workbook = head.starts_with(b"PK\x03\x04");
    let encoding = if is_workbook {
        workbook::read(file, wish.sheet.as_deref(), &mut cutter)?;
        "xlsx".to_owned()
    } else {
        text::read(file, &mut cutter)?
    };
    let cut::Whole { mut first, mut rows, delimiter } = cutter.end()?;
    let delimiter = if is_workbook { String::new() } else { char::from(delimiter).to_string() };
    if rows == 0 {
        return Err(Refused::Empty);
    }
    let has_header = wish.has_header.unwrap_or_else(|| has_header(&first[0]));
    rows -= i64::from(has_header);
    for cell in first.iter_mut().flatten() {
        if let Some((at, _)) = cell.char_indices().nth(SHOWN_MAX) {
            cell.truncate(at);
        }
    }
    Ok(Table { encoding, delimiter, has_header, first, rows })
}

/// The names of the columns, each once, and the first rows beneath them.
pub fn columns(first: &[Vec<String>], has_header: bool) -> (Vec<String>, Vec<Vec<String>>) {
    // Rows that are longer than the one with names are rejected one by one.
    let by_header = first.first().filter(|_| has_header).map(Vec::len);
    let width = by_header.or_else(|| first.iter().map(Vec::len).max()).unwrap_or_default();
    let (names, rows) = match first.split_first() {
        Some((names, rows)) if has_header => (names.as_slice(), rows),
        _ => (&[][..], first),
    };
    let mut unique: Vec<String> = Vec::with_capacity(width);
    for at in 0..width {
        let given = names.get(at).map(|name| name.trim()).filter(|name| !name.is_empty());
        let name = given.map_or_else(|| format!("Column {}", at + 1), |name| name.chars().take(NAME_MAX).collect());
        let mut free = name.clone();
        let mut n = 1;
        while unique.contains(&free) {
            n += 1;
            free = format!("{name} ({n})");
        }
        unique.push(free);
    }
    (unique, rows.iter().take(PREVIEW).cloned().collect())
}

/// What the columns probably mean.
pub fn guess_mapping(columns: &[String], sample: &[Vec<String>], has_header: bool) -> Vec<Field> {
    guess(columns, sample, has_header)
}

/// A row, and the line in which it begins.
#[derive(Debug)]
pub struct Row {
    /// Where it begins in the user's file.
    pub line: i64,
    /// Its cells.
    pub cells: StringRecord,
}

/// The rows of a piece that are not empty; `delimiter` as in [`Table`].
pub fn rows(chunk: &Chunk, delimiter: &str) -> Vec<Row> {
    let reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter.bytes().next().unwrap_or(b','))
        .from_reader(chunk.text.as_bytes());
    let mut records = reader.into_records();
    let (mut rows, mut lines) = (Vec::new(), Lines { bytes: chunk.text.as_bytes(), at: 0, line: chunk.line });
    let mut nth = 0;
    loop {
        let start = position(&records);
        let line = if delimiter.is_empty() { chunk.line + nth } else { lines.of(start) };
        // The text is UTF-8 and rows may have any length: nothing can go wrong.
        let Some(Ok(cells)) = records.next() else { return rows };
        nth += 1;
        if !cells.iter().all(|cell| cell.trim().is_empty()) {
            rows.push(Row { line, cells });
        }
    }
}

fn position(records: &StringRecordsIntoIter<&[u8]>) -> usize {
    usize::try_from(records.reader().position().byte()).unwrap_or(usize::MAX)
}

/// Counts lines: the reader's own count is behind after empty lines.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: i64,
}

impl Lines<'_> {
    /// The line of the first record at or after the offset.
    fn of(&mut self, start: usize) -> i64 {
        while let Some(byte) = self.bytes.get(self.at) {
            if self.at >= start && *byte != b'\n' {
                break;
            }
            self.line += i64::from(*byte == b'\n');
            self.at += 1;
        }
        self.line
    }
}

/// How many bytes at the end of a block belong to a character that goes on in the next one; `None` when it is no UTF-8.
fn tail_of_utf8(block: &[u8]) -> Option<usize> {
    let checked: Result<&str, Utf8Error> = std::str::from_utf8(block);
    match checked {
        Ok(_) => Some(0),
        Err(error) if error.error_len().is_none() => Some(block.len() - error.valid_up_to()),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests;
