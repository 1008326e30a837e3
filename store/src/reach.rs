//! What kept runs lead to.

use std::collections::{HashMap, HashSet};

use flow_artifact::Digest;
use rusqlite::Connection;

use crate::rows::{Blob, Word};
use crate::{Result, RunStatus, lock};

/// Which runs are kept: of each workflow the latest ones and the latest that succeeded; young ones; and those
/// that are going on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keep {
    /// So many of each workflow, the latest.
    pub runs: usize,
    /// And all that started within so many seconds.
    pub age_s: Option<f64>,
}

/// What the kept runs lead to: everything they read or made.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    pub(crate) runs: usize,
    pub(crate) artifacts: HashSet<Digest>,
    pub(crate) keys: HashSet<Digest>,
    pub(crate) families: HashSet<Digest>,
}

pub(crate) fn reached(db: &Connection, root: &std::path::Path, keep: &Keep) -> Result<Reached> {
    let mut reached = Reached::default();
    for run in kept(db, root, keep)? {
        reached.runs += 1;
        let digests = |sql: &str, into: &mut HashSet<Digest>| -> Result<()> {
            let mut query = db.prepare_cached(sql)?;
            for digest in query.query_map([run], |row| Ok(row.get::<_, Blob>(0)?.0))? {
                into.insert(digest?);
            }
            Ok(())
        };
        digests("SELECT key FROM nodes WHERE run = ? AND key IS NOT NULL", &mut reached.keys)?;
        digests(
            "SELECT c.family FROM nodes n JOIN computations c ON c.key = n.key
             WHERE n.run = ? AND c.family IS NOT NULL",
            &mut reached.families,
        )?;
        for table in ["outputs", "inputs"] {
            digests(
                &format!(
                    "SELECT DISTINCT t.digest FROM nodes n JOIN computations c ON c.key = n.key
                     JOIN {table} t ON t.computation = c.id WHERE n.run = ?"
                ),
                &mut reached.artifacts,
            )?;
        }
    }
    Ok(reached)
}

/// The numbers of the runs that are kept.
fn kept(db: &Connection, root: &std::path::Path, keep: &Keep) -> Result<Vec<i64>> {
    let mut query =
        db.prepare_cached("SELECT id, name, workflow, status, started FROM runs ORDER BY id DESC")?;
    let runs = query.query_map([], |row| {
        let status = row.get::<_, Word<RunStatus>>(3)?.0;
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, status, row.get(4)?))
    })?;
    let oldest = keep.age_s.map_or(f64::INFINITY, |age| crate::now() - age);
    let mut seen: HashMap<String, (usize, bool)> = HashMap::new();
    let mut kept = Vec::new();
    for run in runs {
        let (id, name, workflow, status, started): (_, _, _, _, f64) = run?;
        let (count, succeeded) = seen.entry(workflow).or_default();
        // References from outside mean the latest that succeeded.
        let latest = status == RunStatus::Succeeded && !*succeeded;
        *succeeded |= latest;
        let alive = status == RunStatus::Running && lock::is_held(root, &name);
        if *count < keep.runs || latest || started >= oldest || alive {
            kept.push(id);
        }
        *count += 1;
    }
    Ok(kept)
}
