//! Whether a dataset is what a port declares: what a plugin outside this program leaves, and what arrives at any input.
//!
//! Along an edge whose output declares nothing, the types of variables are only known when the artifact is there. It is
//! looked at before a worker is given the node, and once for each artifact and declaration.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use flow_plugin::artifact::Dataset;
use flow_plugin::artifact::units::Unit;
use flow_plugin::{Digest, Kind, Port};

/// On which side of an edge a port is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// All that is declared holds.
    Output,
    /// What is left open takes anything. Values are looked at only where this says so.
    Input { values: bool },
}

/// Something that is given to an input.
pub(super) struct Arrival {
    pub(super) port: Port,
    /// Where it comes from: `stage.port`, or a file.
    pub(super) from: String,
    pub(super) path: PathBuf,
    pub(super) digest: Digest,
}

/// What has been found as it should be.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<HashSet<(Digest, String)>>>);

impl Seen {
    /// Looks at what is given to a node.
    ///
    /// # Errors
    /// What is wrong with the first that is not as it should be.
    pub(super) async fn check(&self, arrivals: Vec<Arrival>, values: bool) -> Result<(), String> {
        for arrival in arrivals {
            let declared = (arrival.digest, format!("{values} {:?}", arrival.port.variables));
            if self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&declared) {
                continue;
            }
            let looked_at = tokio::task::spawn_blocking(move || {
                check(&arrival.path, &arrival.port, Side::Input { values }).map_err(|problem| {
                    format!("its input `{}`, from `{}`, {problem}", arrival.port.name, arrival.from)
                })
            });
            looked_at.await.unwrap_or_else(|panic| Err(panic.to_string()))?;
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(declared);
        }
        Ok(())
    }
}

/// Whether a port says something of a dataset that can be looked at.
pub(super) fn says_something(port: &Port) -> bool {
    port.kind == Kind::Dataset && !port.variables.is_empty()
}

/// Whether a dataset has the variables that a port declares. An error is the end of a sentence.
pub(super) fn check(path: &Path, port: &Port, side: Side) -> Result<(), String> {
    let dataset = Dataset::open(path).map_err(|error| format!("is not a good {}: {error}", port.kind))?;
    let open = |text: &str| side != Side::Output && text.is_empty();
    for declared in &port.variables {
        let name = &declared.name;
        let Ok(found) = dataset.variable(name) else {
            let names: Vec<&str> =
                dataset.variables().iter().map(|variable| variable.name.as_str()).collect();
            return Err(format!(
                "has no variable `{name}`, which the operation declares; it has {}",
                crate::diagnostics::list(&names)
            ));
        };
        let wrong = |what: &str, declared: &str, found: &str| {
            Err(format!("has a variable `{name}` with {what} {found}, declared as {declared}"))
        };
        if !open(&declared.dtype) && found.dtype.name() != declared.dtype {
            return wrong("elements of type", &declared.dtype, found.dtype.name());
        }
        let any_dims = side != Side::Output && declared.dims.is_empty();
        if !any_dims && found.dims != declared.dims {
            let [declared, found] =
                [&declared.dims, &found.dims].map(|dims| format!("({})", dims.join(", ")));
            return wrong("dimensions", &declared, &found);
        }
        let same = open(&declared.units)
            || found.units == declared.units
            || matches!((Unit::parse(&found.units), Unit::parse(&declared.units)), (Ok(a), Ok(b)) if a.equivalent(&b));
        if !same {
            return wrong("units", &format!("`{}`", declared.units), &format!("`{}`", found.units));
        }
        if declared.finite && side != (Side::Input { values: false }) {
            let statistics = dataset.statistics(name).map_err(|error| error.to_string())?;
            if statistics.non_finite > 0 {
                let count = statistics.non_finite;
                return Err(format!(
                    "has a variable `{name}` with {count} values that are NaN or infinite, declared as finite"
                ));
            }
        }
    }
    Ok(())
}
