//! The tables of the index, and how older ones are brought up to date.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};

use crate::{Error, Result};

/// Step `n` brings an index of format `n` to format `n + 1`. Steps are never changed, only added.
const MIGRATIONS: [&str; 2] = [include_str!("schema/1.sql"), include_str!("schema/2.sql")];

/// The format of the index that this version writes.
pub const FORMAT: i64 = MIGRATIONS.len() as i64;

/// How long to wait for another coordinator's transaction.
const PATIENCE: Duration = Duration::from_secs(20);

/// Prepared statements kept per connection: more than there are distinct statements in this crate.
const STATEMENTS: usize = 64;

/// The file of the index.
pub(crate) fn index(root: &Path) -> PathBuf {
    root.join("index.sqlite")
}

/// Opens the index, and creates or migrates it where needed. `network` says that it lies on a network file system.
pub(crate) fn open(root: &Path, network: bool) -> Result<Connection> {
    let mut db = Connection::open(index(root))?;
    db.busy_timeout(PATIENCE)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    // Else SQLite plans a statement anew each time another value is bound to it.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if network && has_log(root) {
        drop_log(&db)?;
    }
    if format(&db)? != FORMAT {
        migrate(&mut db, root, network)?;
    }
    // The journal is a property of the file; these belong to the connection. A rollback journal is safe against loss of
    // power only if every step is synced.
    db.pragma_update(None, "synchronous", if network { "FULL" } else { "NORMAL" })?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(db)
}

fn format(db: &Connection) -> Result<i64> {
    Ok(db.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Whether the index has a write-ahead log: its header says so.
fn has_log(root: &Path) -> bool {
    const VERSION: usize = 18;
    let mut header = [0; VERSION + 1];
    let read = File::open(index(root)).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header[VERSION] == 2
}

/// Gives an index that was made on a disk of this machine a rollback journal. It is the only one to use it then: else
/// its log would need memory that is shared.
fn drop_log(db: &Connection) -> Result<()> {
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    db.pragma_update(None, "journal_mode", "DELETE")?;
    db.pragma_update(None, "locking_mode", "NORMAL")?;
    // The lock is given back by the first look at the file afterwards.
    format(db)?;
    Ok(())
}

fn migrate(db: &mut Connection, root: &Path, network: bool) -> Result<()> {
    // Two first runs at once must not both create: switching to WAL does not wait for the other as
    // transactions do.
    let path = root.join("create.lock");
    let file = File::create(&path).map_err(|source| Error::io("cannot write", &path, source))?;
    let _lock = Flock::lock(file, FlockArg::LockExclusive)
        .map_err(|(_, errno)| Error::io("cannot lock", &path, errno.into()))?;

    let found = format(db)?;
    if found > FORMAT {
        return Err(Error::Newer { path: root.to_owned(), found, known: FORMAT });
    }
    if found == 0 {
        db.pragma_update(None, "journal_mode", if network { "DELETE" } else { "WAL" })?;
    }
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()?;
    Ok(())
}
