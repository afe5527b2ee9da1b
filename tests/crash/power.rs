//! The power goes: whatever a disk may hold then is opened, and every message that the provider had is no longer queued.

use super::{
    Chance,
    disk::{self, Disk, Loss, Player, Record},
    load::{Load, Promise},
    machine::{Machine, on_sqlite},
    tell,
};
use serde_json::json;
use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    time::Duration,
};
use tern::server::{simulate::journal::Entry, store::Db};

/// Power cuts of one run.
const CUTS: u64 = 300;
/// Enough to show that the cuts would see a log that is not synced.
const CUTS_OF_FEWER_SYNCS: u64 = 30;
/// Messages of the load.
const MESSAGES: u64 = 300;

/// What was found in a database that was cut off.
#[derive(Default)]
struct Recovered {
    /// `ok`, or what is wrong with it.
    health: String,
    /// Every message, and whether it is queued.
    messages: HashMap<String, bool>,
}

/// Opens what the disk held.
async fn open(folder: &Path, files: &disk::Files) -> Recovered {
    let path = folder.join("recovered");
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir(&path).expect("a folder");
    std::fs::write(path.join("tern.db"), &files.database).expect("a file");
    std::fs::write(path.join("tern.db-wal"), &files.wal).expect("a file");
    let look = async {
        let db = Db::open(&format!("sqlite://{}/tern.db", path.display())).await?;
        let mut conn = db.read().await?;
        let health: String = sqlx::query_scalar("pragma integrity_check").fetch_one(&mut *conn).await?;
        let messages: Vec<(String, String)> =
            sqlx::query_as("select id, status from message").fetch_all(&mut *conn).await?;
        drop(conn);
        db.close().await;
        let messages = messages.into_iter().map(|(id, status)| (id, status == "queued")).collect();
        Ok::<_, sqlx::Error>(Recovered { health, messages })
    };
    look.await.unwrap_or_else(|error| Recovered { health: error.to_string(), ..Recovered::default() })
}

/// What the cuts showed.
#[derive(Debug, Default)]
struct Found {
    cuts: u64,
    /// Recovered databases that differed.
    states: BTreeSet<(usize, usize)>,
    /// The cuts whose database did not pass its check.
    broken: Vec<String>,
    /// Messages that the provider had before the cut and that would be sent again, or are gone.
    again: Vec<String>,
    /// Messages that a caller was promised before the cut and that are gone.
    gone: Vec<String>,
}

/// Cuts the power at random positions after `from`.
async fn cut(
    folder: &Path,
    records: &[Record],
    from: u64,
    (cuts, chance): (u64, &mut Chance),
    journal: &[Entry],
    promises: &[Promise],
) -> Found {
    let end = records.last().expect("a log").end;
    let mut places: Vec<u64> = (0..cuts).map(|_| from + chance.below(end - from + 1)).collect();
    places.sort_unstable();
    let mut player = Player::new(records);
    let mut found = Found { cuts, ..Found::default() };
    for at in places {
        let loss = [Loss::All, Loss::None, Loss::Tail, Loss::Some][usize::try_from(chance.below(4)).expect("few")];
        let recovered = open(folder, &player.cut(at, loss, chance)).await;
        if recovered.health != "ok" {
            found.broken.push(format!("{at} {loss:?}: {}", recovered.health));
        }
        // The stand-in noted how far the disk was when the request came: all that made the request possible was done.
        for entry in journal.iter().filter(|entry| entry.watched.is_some_and(|watched| watched <= at)) {
            let id = entry.message.as_deref().expect("an address for reports");
            if recovered.messages.get(id) != Some(&false) {
                found.again.push(format!("{at} {loss:?}: {id} {:?}", recovered.messages.get(id)));
            }
        }
        for promise in promises.iter().filter(|promise| promise.watched <= at) {
            if !recovered.messages.contains_key(&promise.id) {
                found.gone.push(format!("{at} {loss:?}: {}", promise.id));
            }
        }
        let queued = recovered.messages.values().filter(|is_queued| **is_queued).count();
        found.states.insert((recovered.messages.len(), queued));
    }
    found
}

async fn power_goes(mut machine: Machine) {
    let disk = Disk::under(&mut machine);
    disk.observe(&mut machine);
    machine.start_twilio(&["--watch", &disk.log.display().to_string()]).await;
    let server = machine.start();
    machine.answers().await;
    let accounts = machine.set_up(&[100_000, 100_000]).await;
    // Before, the database is being made: nobody has been promised anything.
    let from = std::fs::metadata(&disk.log).expect("a log of the disk: the preload works").len();
    machine.command("chaos", json!({ "seed": 5, "hang": 0, "accept_then_hang": 0, "latency_ms": 20 })).await;
    let load = Load::new(accounts, MESSAGES, Some(disk.log.clone()));
    load.run(&machine, 8, Duration::from_mins(2)).await;
    machine.settles().await;
    server.kill();

    let records = disk::read(&std::fs::read(&disk.log).expect("a log"));
    let (journal, promises) = (machine.journal(), load.promises());
    assert!(journal.len() > 150 && promises.len() == usize::try_from(MESSAGES).expect("few"), "there was a load");
    let mut chance = Chance::new("power cuts");
    let folder = machine.folder.path().to_owned();
    let found = cut(&folder, &records, from, (CUTS, &mut chance), &journal, &promises).await;
    tell(&format!(
        "power cuts: {} in {} records and {} KiB, {} different databases: {} broken, {} to be sent again, {} gone",
        found.cuts,
        records.len(),
        records.last().expect("a log").end / 1024,
        found.states.len(),
        found.broken.len(),
        found.again.len(),
        found.gone.len(),
    ));
    assert_eq!((found.broken, found.again, found.gone), Default::default());
    assert!(found.states.len() > 50, "the cuts fell on different moments");

    // The same disk with `synchronous = normal`: the test would see it.
    let fewer = disk::with_fewer_syncs(&records);
    let found = cut(&folder, &fewer, from, (CUTS_OF_FEWER_SYNCS, &mut chance), &journal, &promises).await;
    tell(&format!(
        "power cuts with `synchronous = normal`: {} broken, {} to be sent again, {} gone",
        found.broken.len(),
        found.again.len(),
        found.gone.len()
    ));
    assert!(!found.again.is_empty() && !found.gone.is_empty(), "a log that is not synced was not seen");
    machine.judged("before the power cuts", &load.answered()).await;
}

#[tokio::test]
async fn no_power_cut_makes_a_message_that_the_provider_has_wait_again() {
    on_sqlite(power_goes).await;
}
