//! Claims: which run computes a key, so that two runs at once share the work.

use flow_artifact::Digest;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::{Result, Store, lock};

/// What became of the wish to compute a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is ours to compute.
    Ours,
    /// The key has been computed in the meantime.
    Done,
    /// That run, which lives, is computing it.
    Theirs(String),
}

impl Store {
    /// Claims keys for a run, in one transaction; those that are to be computed `again` also when they have
    /// been computed. A claim ends when its node is committed, and is void once the lock of its run is free.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub fn claim(&mut self, run: &str, keys: &[(Digest, bool)]) -> Result<Vec<Claim>> {
        let root = self.root.clone();
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let claims = keys
            .iter()
            .map(|(key, again)| claim(&transaction, &root, run, key, *again))
            .collect::<Result<_>>()?;
        transaction.commit()?;
        Ok(claims)
    }

    /// Gives up the claims of a run that has ended.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub fn release_claims(&mut self, run: &str) -> Result<()> {
        self.db.prepare_cached("DELETE FROM claims WHERE run = ?")?.execute([run])?;
        Ok(())
    }
}

fn claim(db: &Connection, root: &std::path::Path, run: &str, key: &Digest, again: bool) -> Result<Claim> {
    let mut computed = db.prepare_cached("SELECT 1 FROM computations WHERE key = ?")?;
    if !again && computed.exists([key.as_bytes()])? {
        return Ok(Claim::Done);
    }
    let owner: Option<String> = db
        .prepare_cached("SELECT run FROM claims WHERE key = ?")?
        .query_row([key.as_bytes()], |row| row.get(0))
        .optional()?;
    match owner {
        Some(owner) if owner != run && lock::is_held(root, &owner) => return Ok(Claim::Theirs(owner)),
        Some(owner) if owner == run => return Ok(Claim::Ours),
        _ => {}
    }
    db.prepare_cached("INSERT OR REPLACE INTO claims (key, run) VALUES (?, ?)")?
        .execute(params![key.as_bytes(), run])?;
    Ok(Claim::Ours)
}

pub(crate) fn release(db: &Connection, key: &Digest, run: &str) -> Result<()> {
    db.prepare_cached("DELETE FROM claims WHERE key = ? AND run = ?")?
        .execute(params![key.as_bytes(), run])?;
    Ok(())
}
