//! Cuts a stream of text into pieces of whole rows.

use super::{Chunk, Refused};
use crate::domain::import::{
    COLUMNS_MAX, PREVIEW,
    delimiter::{guess, said},
};
use csv::{ByteRecord, ReaderBuilder};
use std::mem;

/// A piece has about so many bytes.
const PIECE: usize = 128 * 1024;
/// A row has no more: a quote that is never closed would take all that follows for one.
const ROW_MAX: usize = 1024 * 1024;

/// What a whole file was.
pub struct Whole {
    /// Its first rows.
    pub first: Vec<Vec<String>>,
    /// Rows that are not empty.
    pub rows: i64,
    /// What stands between cells.
    pub delimiter: u8,
}

/// Takes text, gives pieces.
pub struct Cutter<'a> {
    take: &'a mut dyn FnMut(Chunk) -> bool,
    /// What is not cut yet.
    text: String,
    /// Where that begins.
    line: i64,
    /// Known once the first piece is looked at.
    delimiter: Option<u8>,
    /// Whether a record is a line of its own, as in a workbook.
    is_sheet: bool,
    first: Vec<Vec<String>>,
    rows: i64,
}

impl<'a> Cutter<'a> {
    pub fn new(take: &'a mut dyn FnMut(Chunk) -> bool) -> Self {
        Self { take, text: String::new(), line: 1, delimiter: None, is_sheet: false, first: Vec::new(), rows: 0 }
    }

    /// What follows comes from a workbook: commas, and a record for each row of the sheet.
    pub fn of_sheet(&mut self) {
        self.delimiter = Some(b',');
        self.is_sheet = true;
    }

    /// Where the next bytes go; [`Cutter::cut`] afterwards.
    pub fn text(&mut self) -> &mut String {
        &mut self.text
    }

    /// Gives pieces when there is enough for one.
    pub fn cut(&mut self) -> Result<(), Refused> {
        if self.text.len() < PIECE { Ok(()) } else { self.give(false) }
    }

    /// Gives what is left.
    pub fn end(mut self) -> Result<Whole, Refused> {
        self.give(true)?;
        Ok(Whole { first: self.first, rows: self.rows, delimiter: self.delimiter.unwrap_or(b',') })
    }

    fn give(&mut self, is_last: bool) -> Result<(), Refused> {
        let delimiter = match self.delimiter {
            Some(delimiter) => delimiter,
            None => self.choose(),
        };
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(self.text.as_bytes());
        let (mut record, mut start, mut end, mut records) = (ByteRecord::new(), 0, 0, 0_i64);
        // The last record may be half a row, which comes again: it counts when another one follows, or nothing.
        let mut last: Option<(usize, bool, Vec<String>)> = None;
        // Reading bytes from memory does not fail.
        while reader.read_byte_record(&mut record).unwrap_or(false) {
            if let Some((at, is_filled, cells)) = last.take() {
                (end, records) = (at, records + 1);
                note(&mut self.first, &mut self.rows, is_filled, cells);
            }
            let at = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
            if at - start > ROW_MAX {
                return Err(Refused::Unclosed(self.line + lines(&self.text[..start])));
            }
            if record.len() > COLUMNS_MAX {
                return Err(Refused::TooWide);
            }
            let is_filled = !record.iter().all(|cell| cell.trim_ascii().is_empty());
            let is_shown = is_filled && self.first.len() <= PREVIEW;
            let cells = record.iter().filter(|_| is_shown).map(|cell| String::from_utf8_lossy(cell).into_owned());
            last = Some((at, is_filled, cells.collect()));
            start = at;
        }
        if is_last {
            end = self.text.len();
            if let Some((_, is_filled, cells)) = last {
                records += 1;
                note(&mut self.first, &mut self.rows, is_filled, cells);
            }
        }
        if end == 0 {
            return Ok(());
        }
        let rest = self.text.split_off(end);
        let text = mem::replace(&mut self.text, rest);
        let passed = if self.is_sheet { records } else { lines(&text) };
        let line = self.line;
        self.line += passed;
        if (self.take)(Chunk { line, text }) { Ok(()) } else { Err(Refused::Ended) }
    }

    /// Looks at the beginning of the file.
    fn choose(&mut self) -> u8 {
        let delimiter = match said(&self.text) {
            Some(said) => {
                let line = self.text.find('\n').map_or(self.text.len(), |at| at + 1);
                self.text.drain(..line);
                self.line += 1;
                said
            }
            None => guess(&self.text),
        };
        self.delimiter = Some(delimiter);
        delimiter
    }
}

fn lines(text: &str) -> i64 {
    i64::try_from(text.bytes().filter(|byte| *byte == b'\n').count()).unwrap_or_default()
}

fn note(first: &mut Vec<Vec<String>>, rows: &mut i64, is_filled: bool, cells: Vec<String>) {
    *rows += i64::from(is_filled);
    if is_filled && first.len() <= PREVIEW {
        first.push(cells);
    }
}
