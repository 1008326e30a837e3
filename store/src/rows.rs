//! Rows of the index as records.

use flow_artifact::{Digest, Kind};
use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};

use crate::{
    InputRecord, Machine, NodeOutline, NodeRecord, OutputRecord, Producer, Recipe, RunRecord, RunStart,
    RunStatus, Usage,
};

/// A digest as the index holds it.
pub(crate) struct Blob(pub(crate) Digest);

impl FromSql for Blob {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 32]>::column_result(value).map(|bytes| Self(bytes.into()))
    }
}

/// A word of an enumeration, as the index holds it.
pub(crate) struct Word<T>(pub(crate) T);

impl<T: std::str::FromStr> FromSql for Word<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map(Self).map_err(|_| FromSqlError::InvalidType)
    }
}

/// What [`run_record`] reads.
pub(crate) const RUN_COLUMNS: &str = "name, workflow, file, source, params, command, host, cpu, cores, engine, started, \
                           finished, status, executed, cached, failed, skipped";

/// Sizes are stored in SQLite's signed integers.
pub(crate) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}

pub(crate) fn input_record(row: &Row<'_>) -> rusqlite::Result<InputRecord> {
    let digest = row.get::<_, Blob>(2)?.0;
    Ok(InputRecord { port: row.get(0)?, index: row.get(1)?, digest, from: row.get(3)? })
}

pub(crate) fn output_record(row: &Row<'_>) -> rusqlite::Result<OutputRecord> {
    let (kind, digest) = (row.get::<_, Word<Kind>>(1)?.0, row.get::<_, Blob>(2)?.0);
    Ok(OutputRecord { port: row.get(0)?, kind, digest, bytes: unsigned(row, 3)? })
}

pub(crate) fn producer(row: &Row<'_>) -> rusqlite::Result<Producer> {
    let (kind, key) = (row.get::<_, Word<Kind>>(3)?.0, row.get::<_, Blob>(4)?.0);
    Ok(Producer { run: row.get(0)?, node: row.get(1)?, port: row.get(2)?, kind, key, reason: row.get(5)? })
}

pub(crate) fn recipe(row: &Row<'_>, first: usize) -> rusqlite::Result<Recipe> {
    Ok(Recipe {
        digest: row.get::<_, Blob>(first)?.0,
        operation: row.get(first + 1)?,
        version: row.get(first + 2)?,
        params: row.get(first + 3)?,
        seed: unsigned(row, first + 4)?,
    })
}

pub(crate) fn run_record(row: &Row<'_>) -> rusqlite::Result<RunRecord> {
    let params: String = row.get(4)?;
    let start = RunStart {
        id: row.get(0)?,
        workflow: row.get(1)?,
        file: row.get(2)?,
        source: row.get(3)?,
        params: serde_json::from_str(&params).unwrap_or_default(),
        command: row.get(5)?,
        machine: Machine { host: row.get(6)?, cpu: row.get(7)?, cores: row.get(8)? },
        engine: row.get(9)?,
        started: row.get(10)?,
    };
    Ok(RunRecord {
        start,
        finished: row.get(11)?,
        status: row.get::<_, Word<RunStatus>>(12)?.0,
        executed: row.get(13)?,
        cached: row.get(14)?,
        failed: row.get(15)?,
        skipped: row.get(16)?,
    })
}

/// What a computation cost, from three columns; none where there is no computation.
fn cost(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Usage>> {
    row.get::<_, Option<f64>>(first)?.map(|_| usage(row, first)).transpose()
}

fn usage(row: &Row<'_>, first: usize) -> rusqlite::Result<Usage> {
    let (cpu_s, wall_s) = (row.get(first)?, row.get(first + 1)?);
    Ok(Usage { cpu_s, wall_s, peak_rss: unsigned(row, first + 2)? })
}

pub(crate) fn node_outline(row: &Row<'_>) -> rusqlite::Result<NodeOutline> {
    Ok(NodeOutline {
        position: row.get(0)?,
        name: row.get(1)?,
        stage: row.get(2)?,
        state: row.get::<_, Word<_>>(3)?.0,
        cached: row.get(4)?,
        error: row.get(5)?,
        started: row.get(6)?,
        usage: usage(row, 7)?,
        cost: cost(row, 10)?,
        bytes: row.get::<_, Option<i64>>(13)?.unwrap_or(0).cast_unsigned(),
    })
}

pub(crate) fn node_record(row: &Row<'_>) -> rusqlite::Result<NodeRecord> {
    let params: Option<String> = row.get(5)?;
    Ok(NodeRecord {
        position: row.get(0)?,
        name: row.get(1)?,
        stage: row.get(2)?,
        operation: row.get(3)?,
        version: row.get::<_, Option<u32>>(4)?.unwrap_or(0),
        params: params.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
        seed: row.get::<_, Option<i64>>(6)?.unwrap_or(0).cast_unsigned(),
        key: row.get::<_, Option<Blob>>(7)?.map(|blob| blob.0),
        state: row.get::<_, Word<_>>(8)?.0,
        cached: row.get(9)?,
        reason: row.get(10)?,
        error: row.get(11)?,
        attempts: row.get(12)?,
        started: row.get(13)?,
        finished: row.get(14)?,
        cpu_s: row.get(15)?,
        wall_s: row.get(16)?,
        peak_rss: unsigned(row, 17)?,
        cost: cost(row, 18)?,
        inputs: Vec::new(),
        outputs: Vec::new(),
    })
}
