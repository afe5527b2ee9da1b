//! Workbooks (XLSX): cell by cell, as lines of commas.

use super::{Refused, cut::Cutter};
use crate::domain::import::{COLUMNS_MAX, cell::number};
use calamine::{DataRef, ExcelDateTime, Reader, Xlsx, XlsxError};
use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
};
use zip::ZipArchive;

/// The most that all parts of a workbook may unpack to.
const UNPACKED_MAX: u64 = 1024 * 1024 * 1024;
/// The most that its texts may: they are held in memory, because cells only name them.
const TEXTS_MAX: u64 = 64 * 1024 * 1024;
/// The most parts.
const PARTS_MAX: usize = 10_000;
/// The most rows that a sheet can have.
const ROWS_MAX: u32 = 1_048_576;

/// Reads one sheet; the first when none is named.
pub fn read(file: &mut File, sheet: Option<&str>, cutter: &mut Cutter<'_>) -> Result<(), Refused> {
    measure(file)?;
    file.seek(SeekFrom::Start(0))?;
    let mut book: Xlsx<_> = Xlsx::new(BufReader::new(&*file)).map_err(bad)?;
    let names = book.sheet_names();
    let known = || Refused::NoSheet(names.join(", "));
    let name = match sheet {
        Some(wanted) => names.iter().find(|name| name.as_str() == wanted).ok_or_else(known)?.clone(),
        None => names.first().ok_or(Refused::Empty)?.clone(),
    };
    cutter.of_sheet();
    let mut cells = book.worksheet_cells_reader(&name).map_err(bad)?;
    let (mut row, mut line): (u32, Vec<String>) = (0, Vec::new());
    while let Some(cell) = cells.next_cell().map_err(bad)? {
        let (at, column) = cell.get_position();
        if at >= ROWS_MAX {
            return Err(Refused::BadWorkbook("it has more rows than a sheet can have".to_owned()));
        }
        while row < at {
            write(cutter.text(), &line);
            line.clear();
            row += 1;
            cutter.cut()?;
        }
        let column = usize::try_from(column).unwrap_or(usize::MAX);
        let text = text(cell.get_value());
        if text.is_empty() {
            continue;
        }
        if column >= COLUMNS_MAX {
            return Err(Refused::TooWide);
        }
        if line.len() <= column {
            line.resize(column + 1, String::new());
        }
        line[column] = text;
    }
    write(cutter.text(), &line);
    cutter.cut()
}

/// A record, with quotes around every cell: an empty row is a record, too, so that records count rows.
fn write(to: &mut String, cells: &[String]) {
    let first = cells.first().map_or("", String::as_str);
    for (at, cell) in std::iter::once(first).chain(cells.iter().skip(1).map(String::as_str)).enumerate() {
        if at > 0 {
            to.push(',');
        }
        to.push('"');
        to.push_str(&cell.replace('\0', "").replace("\r\n", "\n").replace('\r', "\n").replace('"', "\"\""));
        to.push('"');
    }
    to.push('\n');
}

/// A cell as somebody would type it.
fn text(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Int(value) => value.to_string(),
        DataRef::Float(value) => number(*value),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(value) => value.to_string(),
        DataRef::DateTime(value) => instant(value),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::Error(_) | DataRef::Empty => String::new(),
    }
}

fn instant(value: &ExcelDateTime) -> String {
    if value.is_duration() {
        return number(value.as_f64());
    }
    let (year, month, day, hour, minute, second, _) = value.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    if (hour, minute, second) == (0, 0, 0) { date } else { format!("{date} {hour:02}:{minute:02}:{second:02}") }
}

/// Unpacks every part into nothing, because what a part says of its own size may be a lie.
fn measure(file: &mut File) -> Result<(), Refused> {
    file.seek(SeekFrom::Start(0))?;
    let torn = |error: zip::result::ZipError| Refused::BadWorkbook(error.to_string());
    let mut archive = ZipArchive::new(BufReader::new(&*file)).map_err(torn)?;
    if archive.len() > PARTS_MAX {
        return Err(Refused::Unpacked);
    }
    let mut total = 0;
    for at in 0..archive.len() {
        let part = archive.by_index(at).map_err(torn)?;
        let are_texts = part.name().map_err(torn)?.to_lowercase().ends_with("sharedstrings.xml");
        let most = if are_texts { TEXTS_MAX } else { UNPACKED_MAX };
        let unpacked = io::copy(&mut part.take(most + 1), &mut io::sink());
        let unpacked = unpacked.map_err(|error| Refused::BadWorkbook(error.to_string()))?;
        total += unpacked;
        if unpacked > most || total > UNPACKED_MAX {
            return Err(Refused::Unpacked);
        }
    }
    Ok(())
}

fn bad(error: XlsxError) -> Refused {
    match error {
        XlsxError::Password => Refused::BadWorkbook("it is protected by a password".to_owned()),
        error => Refused::BadWorkbook(error.to_string()),
    }
}
