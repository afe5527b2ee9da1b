//! What the stand-in took, written down before anybody hears of it: the witness of the oracle and of the crash tests.
//!
//! One JSON line per accepted message. All requests that wait share one `fdatasync`, so a fast sender costs few of them.

use super::{Simulator, message::Message};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::Write,
    path::Path,
    sync::mpsc::{Receiver, Sender, channel},
};
use tokio::sync::oneshot;

/// What the sender heard of a message that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Heard {
    /// That it was accepted.
    #[default]
    Truth,
    /// A page that no program reads.
    Nonsense,
    /// 500.
    Failure,
    /// The connection was closed.
    Drop,
    /// Nothing, for ever.
    Nothing,
}

/// An accepted message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When the request came, in unix milliseconds.
    pub received_ms: i64,
    /// The account's SID, hashed: a journal may be shown to others.
    pub account: String,
    /// As asked for.
    pub to: String,
    /// As asked for; nothing when a messaging service chooses.
    pub from: Option<String>,
    /// The text, hashed.
    pub body: String,
    /// What the stand-in calls the message.
    pub sid: String,
    /// Tern's id of it, from the address for reports or a mail's `Message-ID`.
    pub message: Option<String>,
    /// The try that it belongs to, from the same address; a mail does not say.
    pub attempt: Option<String>,
    /// What the sender heard.
    pub heard: Heard,
    /// The length of the watched file when the request came.
    pub watched: Option<u64>,
}

/// The first 16 hexadecimal digits of a SHA-256.
pub fn masked(text: &str) -> String {
    hex::encode(&Sha256::digest(text.as_bytes())[..8])
}

impl Entry {
    pub(super) fn new(message: &Message) -> Self {
        let url = message.status_callback.as_deref().unwrap_or_default();
        let query = url.split('#').next().and_then(|url| url.split_once('?')).map(|(_, query)| query.as_bytes());
        let named = |wanted: &str| {
            let mut pairs = form_urlencoded::parse(query.unwrap_or_default());
            pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
        };
        Self {
            received_ms: message.created.0,
            account: masked(&message.account),
            to: message.to.clone(),
            from: message.asked_from.clone(),
            body: masked(message.body.as_deref().unwrap_or_default()),
            sid: message.sid.clone(),
            message: named("message"),
            attempt: named("attempt"),
            heard: message.heard,
            watched: message.watched,
        }
    }
}

/// The lines of a journal. A last line that was cut off says nothing: its request was not answered.
pub fn read(path: &Path) -> Result<Vec<Entry>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let entry = |(at, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| format!("{} line {}: {error}", path.display(), at + 1))
    };
    whole.lines().enumerate().map(entry).collect()
}

/// A line, and who waits for it.
type Line = (Vec<u8>, oneshot::Sender<()>);

/// The file. A thread of its own writes it, and goes when this does.
#[derive(Clone)]
pub struct Journal(Sender<Line>);

impl Journal {
    /// Appends to the file.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        let (sender, receiver) = channel();
        std::thread::Builder::new().name("journal".to_owned()).spawn(move || write(file, &receiver))?;
        Ok(Self(sender))
    }

    /// Hands the line over; it is durable when the answer comes.
    pub fn append(&self, entry: &Entry) -> oneshot::Receiver<()> {
        let mut line = serde_json::to_vec(entry).expect("an entry is JSON");
        line.push(b'\n');
        let (written, wait) = oneshot::channel();
        // A journal that ended hangs up on whoever waits.
        let _ = self.0.send((line, written));
        wait
    }
}

/// Writes what waits, all of it with one `fdatasync`.
fn write(mut file: File, lines: &Receiver<Line>) {
    while let Ok((mut text, first)) = lines.recv() {
        let mut waiting = vec![first];
        for (line, written) in lines.try_iter() {
            text.extend_from_slice(&line);
            waiting.push(written);
        }
        if let Err(error) = file.write_all(&text).and_then(|()| file.sync_data()) {
            tracing::error!("the journal cannot be written: {error}");
            return;
        }
        for written in waiting {
            let _ = written.send(()); // who waited is gone; the line stays
        }
    }
}

impl Simulator {
    /// Every message that was accepted, in order, as the journal has it.
    pub fn journal(&self) -> Vec<Entry> {
        let state = self.state();
        state.messages.iter().filter(|message| message.direction == "outbound-api").map(Entry::new).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            ACCOUNT_SID, Fault, SimulateArgs,
            tests::{FROM, NOW, World},
        },
        *,
    };
    use crate::server::clock::{FakeClock, new_id};
    use std::{path::PathBuf, sync::Arc};

    fn file() -> PathBuf {
        std::env::temp_dir().join(format!("tern-journal-{}", new_id(NOW)))
    }

    fn world(args: &SimulateArgs) -> World {
        let clock = Arc::new(FakeClock::new(NOW));
        World { simulator: Simulator::with(args, clock.clone(), true).expect("a journal"), clock }
    }

    #[tokio::test]
    async fn what_is_accepted_is_in_the_file_before_the_answer_comes() {
        let (journal, watched) = (file(), file());
        std::fs::write(&watched, "12345").expect("a file");
        let args =
            SimulateArgs { journal: Some(journal.clone()), watch: Some(watched.clone()), ..SimulateArgs::default() };
        let world = world(&args);
        let url = "https://tern.example/hook?message=M1&attempt=2#rc=2";
        let form = [("To", "+15558675310"), ("From", FROM), ("Body", "Hello"), ("StatusCallback", url)];
        assert_eq!(world.create(&form).await.status, 201);
        assert_eq!(world.create(&[("To", "hello"), ("From", FROM), ("Body", "Hello")]).await.status, 400);
        world.simulator.misbehave(Fault::AcceptThenFail, 1);
        assert_eq!(world.create(&form[..3]).await.status, 500);
        world.simulator.misbehave(Fault::Fail, 1);
        assert_eq!(world.create(&form).await.status, 500);

        let [first, second] = &read(&journal).expect("a journal")[..] else { panic!("two entries") };
        let sids: Vec<_> = world.simulator.accepted().into_iter().map(|accepted| accepted.sid).collect();
        let expected = Entry {
            received_ms: NOW.0,
            account: masked(ACCOUNT_SID),
            to: "+15558675310".to_owned(),
            from: Some(FROM.to_owned()),
            body: masked("Hello"),
            sid: sids[0].clone(),
            message: Some("M1".to_owned()),
            attempt: Some("2".to_owned()),
            heard: Heard::Truth,
            watched: Some(5),
        };
        assert_eq!(*first, expected);
        let without = Entry { sid: sids[1].clone(), message: None, attempt: None, heard: Heard::Failure, ..expected };
        assert_eq!(*second, without);
        assert_eq!(world.simulator.journal(), [first.clone(), second.clone()]);
        for file in [journal, watched] {
            std::fs::remove_file(file).expect("gone");
        }
    }

    #[tokio::test]
    async fn nothing_is_answered_when_the_journal_cannot_be_written() {
        let args = SimulateArgs { journal: Some("/dev/full".into()), ..SimulateArgs::default() };
        let world = world(&args);
        let form = [("To", "+15558675310"), ("From", FROM), ("Body", "Hello")];
        assert_eq!(world.create(&form).await.refusal(), (500, 20500));
        assert!(Simulator::with(&SimulateArgs { journal: Some("/".into()), ..args }, world.clock, true).is_err());
    }

    #[test]
    fn a_line_that_was_cut_off_is_no_entry_and_a_broken_one_is_an_error() {
        let path = file();
        std::fs::write(&path, "{\"received_ms\":").expect("a file");
        assert_eq!(read(&path), Ok(Vec::new()));
        std::fs::write(&path, "{}\n").expect("a file");
        assert!(read(&path).is_err_and(|error| error.contains("line 1")));
        std::fs::remove_file(path).expect("gone");
    }
}
