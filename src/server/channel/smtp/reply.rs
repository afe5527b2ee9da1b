//! Replies of mail servers (RFC 5321 section 4.2, enhanced codes of RFC 2034): read within bounds, shown without harm.

use std::io;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// The longest line that is read; the RFC asks for 512.
const LINE_MAX: usize = 4_096;
/// The most lines of a reply; those of a large EHLO are thirty.
const LINES_MAX: usize = 128;
/// The most characters of a server's words that are shown.
const SHOWN_MAX: usize = 300;

/// What a server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// 200–599.
    pub code: u16,
    /// Its lines, without code.
    pub lines: Vec<String>,
}

/// Code, whether more lines follow, text.
fn parse_line(line: &[u8]) -> Option<(u16, bool, String)> {
    let text = String::from_utf8_lossy(line);
    let (code, rest) = text.split_at_checked(3)?;
    let code = code.bytes().all(|b| b.is_ascii_digit()).then(|| code.parse().ok())??;
    let is_more = match rest.chars().next() {
        None | Some(' ') => false,
        Some('-') => true,
        Some(_) => return None,
    };
    (200..600).contains(&code).then(|| (code, is_more, rest.get(1..).unwrap_or_default().to_owned()))
}

/// One line without its end, which must come before [`LINE_MAX`].
async fn read_line(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    loop {
        let buffer = stream.fill_buf().await?;
        if buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let end = buffer.iter().position(|b| *b == b'\n');
        let taken = end.map_or(buffer.len(), |end| end + 1);
        line.extend_from_slice(&buffer[..taken]);
        stream.consume(taken);
        if line.len() > LINE_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if end.is_some() {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(line);
        }
    }
}

impl Reply {
    /// Reads one reply. `InvalidData` is what is no reply.
    pub async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Self> {
        let mut reply = Self { code: 0, lines: Vec::new() };
        loop {
            let line = read_line(stream).await?;
            let (code, is_more, text) = parse_line(&line).ok_or(io::ErrorKind::InvalidData)?;
            if (reply.code != 0 && reply.code != code) || reply.lines.len() == LINES_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            reply.code = code;
            reply.lines.push(text);
            if !is_more {
                return Ok(reply);
            }
        }
    }

    /// Done.
    pub fn is_done(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// Refused for now.
    pub fn is_transient(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// The enhanced code, when it fits the code.
    pub fn enhanced(&self) -> Option<&str> {
        let word = self.lines.first()?.split_whitespace().next()?;
        let parts: Vec<&str> = word.split('.').collect();
        let is_number = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        let fits = parts.first()?.parse::<u16>().is_ok_and(|class| class == self.code / 100);
        (parts.len() == 3 && parts.iter().all(is_number) && fits).then_some(word)
    }

    /// The code that says most.
    pub fn best_code(&self) -> String {
        self.enhanced().map_or_else(|| self.code.to_string(), str::to_owned)
    }

    /// The server's words for a person: one line, bounded, nothing invisible.
    pub fn shown(&self) -> String {
        let repeated = self.enhanced().unwrap_or_default().to_owned();
        let words = self.lines.iter().enumerate().map(|(at, line)| {
            let again = if at > 0 && !repeated.is_empty() { line.strip_prefix(repeated.as_str()) } else { None };
            again.unwrap_or(line).trim().to_owned()
        });
        let text = format!("{} {}", self.code, words.collect::<Vec<_>>().join(" "));
        let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        let shown: String = plain.take(SHOWN_MAX).collect();
        shown.trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    async fn read(text: &[u8]) -> io::Result<Reply> {
        Reply::read(&mut &text[..]).await
    }

    #[tokio::test]
    async fn a_reply_has_one_code_and_any_lines() {
        let reply = read(b"250-smtp.example.com\r\n250-PIPELINING\r\n250 SIZE 100\r\n354 next").await.expect("a reply");
        assert_eq!((reply.code, reply.lines.len()), (250, 3));
        assert_eq!(read(b"250\r\n").await.expect("a bare code").code, 250);
        assert_eq!(read(b"250 ok\n").await.expect("a bare line feed").lines, ["ok"]);
        for wrong in [
            &b"hello\r\n"[..],
            b"25 ok\r\n",
            b"250-a\r\n550 b\r\n",
            b"600 x\r\n",
            b"099 x\r\n",
            b"250_x\r\n",
            b"\xff\xff\xff x\r\n",
        ] {
            assert_eq!(read(wrong).await.map_err(|e| e.kind()), Err(io::ErrorKind::InvalidData), "{wrong:?}");
        }
        for short in [&b""[..], b"250", b"250-a\r\n", b"250 ok"] {
            assert_eq!(read(short).await.map_err(|e| e.kind()), Err(io::ErrorKind::UnexpectedEof), "{short:?}");
        }
    }

    #[tokio::test]
    async fn an_endless_reply_is_cut_off() {
        let line = [b"250 ".to_vec(), vec![b'x'; LINE_MAX]].concat();
        assert!(read(&line).await.is_err());
        assert!(read(&b"250-x\r\n".repeat(LINES_MAX + 1)).await.is_err());
    }

    #[tokio::test]
    async fn an_enhanced_code_counts_when_it_fits() {
        let of = async |text: &str| read(format!("{text}\r\n").as_bytes()).await.expect("a reply").best_code();
        assert_eq!(of("550 5.1.1 No such user").await, "5.1.1");
        assert_eq!(of("550-5.7.26 a\r\n550 5.7.26 b").await, "5.7.26");
        for plain in ["550 4.1.1 x", "550 5.1 x", "550 5.1.1.1 x", "550 5.1111.1 x", "550 no", "550"] {
            assert_eq!(of(plain).await, "550", "{plain}");
        }
        let reply = read(b"550-5.7.26 Not \x1b[31mred\r\n550 5.7.26  sure\r\n").await.expect("a reply");
        assert_eq!(reply.shown(), "550 5.7.26 Not  [31mred sure");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            if let Ok(reply) = runtime.block_on(read(&bytes)) {
                prop_assert!(!reply.shown().chars().any(char::is_control));
                prop_assert!(reply.shown().chars().count() <= SHOWN_MAX);
            }
        }
    }
}
