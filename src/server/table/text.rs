//! Text in any encoding, as UTF-8 with `\n` between lines.

use super::{Refused, cut::Cutter, tail_of_utf8};
use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{CoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
};

/// Bytes that are read at a time.
const BLOCK: usize = 64 * 1024;
/// Bytes by which UTF-16 without a mark is known.
const LOOKED_AT: usize = 4096;

/// Reads the file; the name of its encoding.
pub fn read(file: &mut File, cutter: &mut Cutter<'_>) -> Result<String, Refused> {
    let encoding = detect(file)?;
    file.seek(SeekFrom::Start(0))?;
    let mut decoder = encoding.new_decoder_with_bom_removal();
    let (mut block, mut is_after_cr) = (vec![0; BLOCK], false);
    let mut text = String::with_capacity(4 * BLOCK);
    loop {
        let got = file.read(&mut block)?;
        let is_last = got == 0;
        let mut rest = &block[..got];
        loop {
            let (result, read, _) = decoder.decode_to_string(rest, &mut text, is_last);
            rest = &rest[read..];
            normalize(&text, cutter.text(), &mut is_after_cr)?;
            text.clear();
            if result == CoderResult::InputEmpty {
                break;
            }
        }
        if is_last {
            return Ok(encoding.name().to_owned());
        }
        cutter.cut()?;
    }
}

/// One kind of line break, and no zero bytes, which PostgreSQL cannot store. Other control characters are those of a program
/// or a picture.
fn normalize(from: &str, to: &mut String, is_after_cr: &mut bool) -> Result<(), Refused> {
    if from.bytes().any(|byte| matches!(byte, 1..=6 | 14..=26 | 28..=31)) {
        return Err(Refused::NotATable);
    }
    if !*is_after_cr && !from.bytes().any(|byte| matches!(byte, b'\r' | 0)) {
        to.push_str(from);
        return Ok(());
    }
    for c in from.chars() {
        match c {
            '\r' => to.push('\n'),
            '\n' if *is_after_cr => {}
            '\0' => {}
            c => to.push(c),
        }
        *is_after_cr = c == '\r';
    }
    Ok(())
}

/// A mark at the beginning says it; else zero bytes do; else it is UTF-8 where that is possible, which no other text is by
/// accident; else the letters do.
fn detect(file: &mut File) -> Result<&'static Encoding, Refused> {
    let mut head = Vec::new();
    file.by_ref().take(LOOKED_AT as u64).read_to_end(&mut head)?;
    if let Some((encoding, _)) = Encoding::for_bom(&head) {
        return Ok(encoding);
    }
    let zeros = |odd: usize| head.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let is_many = |count: usize| count * 5 > head.len();
    if is_many(odd) && even * 4 < odd {
        return Ok(UTF_16LE);
    }
    if is_many(even) && odd * 4 < even {
        return Ok(UTF_16BE);
    }
    if even + odd > 0 {
        return Err(Refused::NotATable);
    }
    if is_utf8(file)? {
        return Ok(UTF_8);
    }
    file.seek(SeekFrom::Start(0))?;
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    let mut block = vec![0; BLOCK];
    loop {
        let got = file.read(&mut block)?;
        detector.feed(&block[..got], got == 0);
        if got == 0 {
            return Ok(detector.guess(None, Utf8Detection::Deny));
        }
    }
}

fn is_utf8(file: &mut File) -> Result<bool, Refused> {
    file.seek(SeekFrom::Start(0))?;
    let (mut block, mut kept) = (vec![0; BLOCK], 0);
    let mut is_ascii = true;
    loop {
        let got = file.read(&mut block[kept..])?;
        if got == 0 {
            // ISO-2022-JP is ASCII, too, but for its escapes.
            return Ok(kept == 0 && is_ascii);
        }
        let filled = kept + got;
        is_ascii &= !block[..filled].contains(&0x1b);
        let Some(tail) = tail_of_utf8(&block[..filled]) else { return Ok(false) };
        block.copy_within(filled - tail..filled, 0);
        kept = tail;
    }
}
