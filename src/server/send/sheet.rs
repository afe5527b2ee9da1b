//! The rows of a CSV file, and the idempotency key of each.

use super::SendArgs;
use anyhow::{Context, bail};
use csv::{ByteRecord, ReaderBuilder};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// The columns that mean something.
const COLUMNS: [&str; 5] = ["channel", "to", "subject", "body", "account"];

/// A message to be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Row {
    /// Where it begins in the file.
    pub line: u64,
    /// Name of the channel.
    pub channel: String,
    /// The recipient.
    pub to: String,
    /// The subject; may be empty.
    pub subject: String,
    /// The text.
    pub body: String,
    /// The account; empty: the default.
    pub account: String,
}

impl Row {
    /// About what it takes in a request.
    pub fn bytes(&self) -> usize {
        self.texts().map(str::len).iter().sum::<usize>() + 200
    }

    fn texts(&self) -> [&str; 5] {
        [&self.channel, &self.to, &self.subject, &self.body, &self.account]
    }
}

/// A file that was read.
#[derive(Debug, Default)]
pub struct Sheet {
    /// The rows that can be sent.
    pub rows: Vec<Row>,
    /// Line and reason of those that cannot be read.
    pub failed: Vec<(u64, String)>,
    /// Names of columns that mean nothing.
    pub ignored: Vec<String>,
}

/// Reads a file; what a row does not say, the arguments say. Commas between the fields, or semicolons as spreadsheets of
/// some countries write them.
pub fn read(bytes: &[u8], args: &SendArgs) -> anyhow::Result<Sheet> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let head = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let delimiter = if head.contains(&b';') && !head.contains(&b',') { b';' } else { b',' };
    let mut reader = ReaderBuilder::new().delimiter(delimiter).from_reader(bytes);
    let header = reader.headers().context("its first line cannot be read")?.clone();
    let names: Vec<String> = header.iter().map(|name| name.trim().to_lowercase()).collect();
    let mut columns = HashMap::new();
    let mut sheet = Sheet::default();
    for (at, name) in names.iter().enumerate() {
        match COLUMNS.iter().find(|column| *column == name) {
            Some(column) => {
                if columns.insert(*column, at).is_some() {
                    bail!("its first line names the column {column} twice");
                }
            }
            None => sheet.ignored.push(header.get(at).unwrap_or_default().to_owned()),
        }
    }
    let given = [("channel", &args.channel), ("body", &args.body)];
    for (name, given) in [("to", &None)].into_iter().chain(given) {
        if !columns.contains_key(name) && given.is_none() {
            bail!("its first line names no column {name}");
        }
    }
    let mut lines = Lines { bytes, at: 0, line: 1 };
    let mut record = ByteRecord::new();
    loop {
        let start = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        let line = lines.of(start);
        match reader.read_byte_record(&mut record) {
            Ok(false) => return Ok(sheet),
            Ok(true) => match row(&record, line, &columns, args) {
                Some(row) => sheet.rows.push(row),
                None => sheet.failed.push((line, "is not UTF-8; save the file as UTF-8".to_owned())),
            },
            Err(error) => match error.kind() {
                csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                    sheet.failed.push((line, format!("has {len} fields, the first line has {expected_len}")));
                }
                _ => return Err(error).context("it cannot be read"),
            },
        }
    }
}

/// Counts lines: the reader's own count is behind after `\r\n` and empty lines.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the first record at or after the offset.
    fn of(&mut self, start: usize) -> u64 {
        while let Some(byte) = self.bytes.get(self.at) {
            if self.at >= start && !matches!(byte, b'\r' | b'\n') {
                break;
            }
            self.line += u64::from(*byte == b'\n');
            self.at += 1;
        }
        self.line
    }
}

/// Nothing when it is no text.
fn row(record: &ByteRecord, line: u64, columns: &HashMap<&str, usize>, args: &SendArgs) -> Option<Row> {
    let text = |name: &str, given: &Option<String>| {
        let bytes = columns.get(name).and_then(|at| record.get(*at)).unwrap_or_default();
        let text = std::str::from_utf8(bytes).ok()?;
        let given = given.as_deref().unwrap_or_default();
        Some(if text.trim().is_empty() { given } else { text }.to_owned())
    };
    Some(Row {
        line,
        channel: text("channel", &args.channel)?.trim().to_lowercase(),
        to: text("to", &None)?.trim().to_owned(),
        subject: text("subject", &args.subject)?,
        body: text("body", &args.body)?,
        account: text("account", &args.account)?.trim().to_owned(),
    })
}

/// A key for each row, of the run's name and of what the row says; equal rows are counted. So a file that was corrected
/// or has grown can be sent again: only what is new in it goes out.
pub fn keys(run: &str, rows: &[Row]) -> Vec<String> {
    let mut seen: HashMap<[u8; 32], u64> = HashMap::new();
    let key = |row: &Row| {
        let mut hash = Sha256::new();
        for text in [run].into_iter().chain(row.texts()) {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        let said: [u8; 32] = hash.finalize().into();
        let count = seen.entry(said).or_default();
        *count += 1;
        format!("csv-{}", hex::encode(Sha256::new().chain_update(said).chain_update(count.to_be_bytes()).finalize()))
    };
    rows.iter().map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> SendArgs {
        SendArgs {
            channel: Some("sms".to_owned()),
            to: None,
            subject: None,
            body: Some("Hello".to_owned()),
            account: None,
            csv: None,
            run: None,
            wait: false,
            url: String::new(),
            api_key: "".into(),
        }
    }

    #[test]
    fn rows_are_read_with_their_lines_and_defaults() {
        let text =
            b"\xef\xbb\xbfTo, Body ,name\r\n\r\n+1,\"two\r\nlines\",x\r\n+2,,\r\n\r\n+3\r\n+4,\xff,\r\n+5,five,\r\n";
        let sheet = read(text, &args()).expect("a file");
        let rows: Vec<_> = sheet.rows.iter().map(|row| (row.line, row.to.as_str(), row.body.as_str())).collect();
        assert_eq!(rows, [(3, "+1", "two\r\nlines"), (5, "+2", "Hello"), (9, "+5", "five")]);
        assert!(sheet.rows.iter().all(|row| row.channel == "sms"));
        assert_eq!(sheet.failed.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [7, 8]);
        assert_eq!(sheet.ignored, ["name"]);
        let semicolons = read(b"channel;to;body\nemail;a@example.com;a, b\n", &args()).expect("a file");
        assert_eq!((semicolons.rows[0].channel.as_str(), semicolons.rows[0].body.as_str()), ("email", "a, b"));
    }

    #[test]
    fn a_file_without_what_is_needed_is_refused() {
        for text in ["", "body\nx\n", "to,to\n+1,+2\n"] {
            assert!(read(text.as_bytes(), &args()).is_err(), "{text}");
        }
        assert!(read(b"to\n+1\n", &SendArgs { body: None, ..args() }).is_err());
        assert!(read(b"to\n+1\n", &args()).is_ok());
    }

    #[test]
    fn a_key_is_of_what_a_row_says_and_of_how_often_it_is_said() {
        let rows = |text: &str| read(text.as_bytes(), &args()).expect("a file").rows;
        let first = keys("run", &rows("to,body\n+1,a\n+1,a\n+2,b\n"));
        assert!(first[0] != first[1] && first[1] != first[2]);
        let grown = keys("run", &rows("to,body\n+9,new\n+2,b\n+1,a\n+1,a\n"));
        assert_eq!([&grown[2], &grown[3], &grown[1]], [&first[0], &first[1], &first[2]]);
        assert_ne!(keys("other", &rows("to,body\n+1,a\n")), first[..1]);
    }
}
