//! The tables of the index, and how older ones are brought up to date.

use std::fs::File;
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

/// Opens the index, and creates or migrates it where needed.
pub(crate) fn open(root: &Path) -> Result<Connection> {
    let mut db = Connection::open(index(root))?;
    db.busy_timeout(PATIENCE)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    // Else SQLite plans a statement anew each time another value is bound to it.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if format(&db)? != FORMAT {
        migrate(&mut db, root)?;
    }
    // WAL is a property of the file; these belong to the connection.
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(db)
}

fn format(db: &Connection) -> Result<i64> {
    Ok(db.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn migrate(db: &mut Connection, root: &Path) -> Result<()> {
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
        db.pragma_update(None, "journal_mode", "WAL")?;
    }
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()?;
    Ok(())
}
