//! What is a table, and what is not.

use super::*;
use std::{
    io::Write,
    sync::atomic::{AtomicU32, Ordering},
};

/// A file with these bytes; it is gone from the folder at once.
fn file(bytes: &[u8]) -> File {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("tern-table-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    let mut file = File::options().create_new(true).read(true).write(true).open(&path).expect("a file");
    std::fs::remove_file(&path).expect("gone");
    file.write_all(bytes).expect("written");
    file
}

/// A row with its line.
type Lined = (i64, Vec<String>);

fn read_all(bytes: &[u8]) -> Result<(Table, Vec<Lined>), Refused> {
    let mut chunks = Vec::new();
    let table = read(&mut file(bytes), &Wish::default(), |chunk| {
        chunks.push(chunk);
        true
    })?;
    let rows = chunks.iter().flat_map(|chunk| rows(chunk, &table.delimiter));
    let rows = rows.map(|row| (row.line, row.cells.iter().map(str::to_owned).collect())).collect();
    Ok((table, rows))
}

fn cells(row: &[&str]) -> Vec<String> {
    row.iter().map(|&cell| cell.to_owned()).collect()
}

#[test]
fn every_usual_encoding_is_read() {
    let text = "Name;Ort\nJürgen Müßig;Köln\nZoë Façade;Besançon\n";
    let utf16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let (latin, _, _) = encoding_rs::WINDOWS_1252.encode(text);
    let expected =
        [(1, cells(&["Name", "Ort"])), (2, cells(&["Jürgen Müßig", "Köln"])), (3, cells(&["Zoë Façade", "Besançon"]))];
    for (bytes, encoding) in [
        (text.as_bytes().to_vec(), "UTF-8"),
        ([b"\xef\xbb\xbf", text.as_bytes()].concat(), "UTF-8"),
        ([&b"\xff\xfe"[..], &utf16(u16::to_le_bytes)].concat(), "UTF-16LE"),
        ([&b"\xfe\xff"[..], &utf16(u16::to_be_bytes)].concat(), "UTF-16BE"),
        (utf16(u16::to_le_bytes), "UTF-16LE"),
        (utf16(u16::to_be_bytes), "UTF-16BE"),
        (latin.into_owned(), "windows-1252"),
    ] {
        let (table, rows) = read_all(&bytes).expect(encoding);
        assert_eq!((table.encoding.as_str(), table.delimiter.as_str(), table.rows), (encoding, ";", 2));
        assert_eq!(rows, expected, "{encoding}");
    }
    for (encoding, text) in [
        (encoding_rs::SHIFT_JIS, "氏名,メールアドレス\n山田太郎,taro@example.com\n鈴木花子,hanako@example.com\n"),
        (encoding_rs::WINDOWS_1251, "Имя,Почта\nИван Петров,ivan@example.com\nМария Смирнова,maria@example.com\n"),
        (
            encoding_rs::WINDOWS_1250,
            "Imię,Nazwisko\nŁukasz,Wiśniewski\nMałgorzata,Źdźbło\nZbigniew,Święcicki\nStanisław,Dąbrowski\n",
        ),
    ] {
        let (bytes, _, _) = encoding.encode(text);
        let (table, rows) = read_all(&bytes).expect("a table");
        let first: Vec<String> = text.lines().nth(1).expect("a row").split(',').map(str::to_owned).collect();
        assert_eq!((table.encoding.as_str(), &rows[1].1), (encoding.name(), &first));
    }
}

#[test]
fn rows_keep_the_line_in_which_they_begin() {
    let text = "sep=;\r\nname;note\r\n\r\nKim;\"two\r\nlines\"\r\n;;\r\nLee;\"a \"\"quote\"\"\"\rLi";
    let (table, rows) = read_all(text.as_bytes()).expect("a table");
    assert_eq!((table.rows, table.has_header, table.delimiter.as_str()), (3, true, ";"));
    let expected = [
        (2, cells(&["name", "note"])),
        (4, cells(&["Kim", "two\nlines"])),
        (7, cells(&["Lee", "a \"quote\""])),
        (8, cells(&["Li"])),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn a_large_file_comes_in_pieces_of_whole_rows() {
    let line = |n: usize| format!("{n},\"Kim\n{}\",kim{n}@example.com\n", "x".repeat(n % 300));
    let text: String = std::iter::once("n,name,email\n".to_owned()).chain((0..20_000).map(line)).collect();
    let mut chunks = Vec::new();
    let table = read(&mut file(text.as_bytes()), &Wish::default(), |chunk| {
        chunks.push(chunk);
        true
    });
    let table = table.expect("a table");
    assert_eq!(chunks.iter().map(|chunk| chunk.text.as_str()).collect::<String>(), text);
    assert!(chunks.len() > 10 && chunks.iter().all(|chunk| chunk.text.len() < 256 * 1024));
    let all: Vec<Row> = chunks.iter().flat_map(|chunk| rows(chunk, ",")).collect();
    assert_eq!((all.len(), table.rows, table.first.len()), (20_001, 20_000, 21));
    for (n, row) in all.iter().skip(1).enumerate() {
        assert_eq!((row.line, &row.cells[0]), (2 + 2 * i64::try_from(n).expect("few"), n.to_string().as_str()));
    }
}

#[test]
fn what_is_no_table_is_refused_with_a_reason() {
    let wide = format!("{}\n", "a,".repeat(300));
    let unclosed = format!("name\n\"{}", "x,y\n".repeat(600_000));
    for (bytes, code) in [
        (&b""[..], "empty_file"),
        (b"\n\n  \n", "empty_file"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", "not_a_table"),
        (b"PK\x03\x04 no zip", "bad_workbook"),
        (wide.as_bytes(), "too_many_columns"),
        (unclosed.as_bytes(), "unclosed_quote"),
    ] {
        assert_eq!(read_all(bytes).expect_err(code).code(), code);
    }
    let ended = read(&mut file(b"a\nb\n"), &Wish::default(), |_| false);
    assert!(matches!(ended, Err(Refused::Ended)));
}

#[test]
fn columns_have_a_name_each() {
    let first = [cells(&["Name", "", "Name"]), cells(&["a", "b", "c", "d"])];
    let (names, sample) = columns(&first, true);
    assert_eq!((names, sample), (cells(&["Name", "Column 2", "Name (2)"]), vec![first[1].clone()]));
    assert_eq!((columns(&first, false).0.len(), columns(&first, false).1.len()), (4, 2));
}

/// A workbook of one sheet with these parts.
fn workbook(sheet: &str, texts: &str) -> Vec<u8> {
    use zip::write::SimpleFileOptions;
    let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    let main = "xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"";
    let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let package = "http://schemas.openxmlformats.org/package/2006";
    for (name, text) in [
        ("[Content_Types].xml", format!("<Types xmlns=\"{package}/content-types\"/>")),
        (
            "_rels/.rels",
            format!(
                "<Relationships xmlns=\"{package}/relationships\"><Relationship Id=\"r1\" Type=\"{office}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                "<workbook {main} xmlns:r=\"{office}\"><sheets><sheet name=\"Leads\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                "<Relationships xmlns=\"{package}/relationships\"><Relationship Id=\"r1\" Type=\"{office}/worksheet\" Target=\"worksheets/sheet1.xml\"/><Relationship Id=\"r2\" Type=\"{office}/sharedStrings\" Target=\"sharedStrings.xml\"/></Relationships>"
            ),
        ),
        ("xl/sharedStrings.xml", format!("<sst {main}>{texts}</sst>")),
        ("xl/worksheets/sheet1.xml", format!("<worksheet {main}><sheetData>{sheet}</sheetData></worksheet>")),
    ] {
        writer.start_file(name, SimpleFileOptions::default()).expect("a part");
        writer.write_all(text.as_bytes()).expect("written");
    }
    writer.finish().expect("a workbook").into_inner()
}

#[test]
fn a_workbook_is_read_with_its_numbers_written_out() {
    let texts = "<si><t>name</t></si><si><t>phone</t></si><si><t>Kim, \"K\"</t></si>";
    let sheet = "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"B1\" t=\"s\"><v>1</v></c></row>\
                 <row r=\"3\"><c r=\"A3\" t=\"s\"><v>2</v></c><c r=\"B3\"><v>4.915123456789E12</v></c></row>\
                 <row r=\"4\"><c r=\"C4\" t=\"inlineStr\"><is><t>x</t></is></c></row>";
    let (table, rows) = read_all(&workbook(sheet, texts)).expect("a workbook");
    assert_eq!((table.encoding.as_str(), table.delimiter.as_str(), table.rows), ("xlsx", "", 2));
    let expected =
        [(1, cells(&["name", "phone"])), (3, cells(&["Kim, \"K\"", "4915123456789"])), (4, cells(&["", "", "x"]))];
    assert_eq!(rows, expected);
    let wish = Wish { sheet: Some("Other".to_owned()), ..Wish::default() };
    let refused = read(&mut file(&workbook(sheet, texts)), &wish, |_| true).expect_err("no such sheet");
    assert_eq!((refused.code(), refused.to_string().contains("Leads")), ("no_such_sheet", true));
}

#[test]
fn a_workbook_that_unpacks_to_too_much_is_refused() {
    let bomb = format!("<si><t>{}</t></si>", " ".repeat(65 * 1024 * 1024));
    let bytes = workbook("", &bomb);
    assert!(bytes.len() < 1024 * 1024, "it is small as long as it is packed");
    assert_eq!(read_all(&bytes).expect_err("a bomb").code(), "unpacks_too_large");
}
