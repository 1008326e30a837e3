//! Running an operation in a test, without an engine.

mod stored;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use crate::protocol::{InputArtifact, Job, Reply};
use crate::stop::Stop;
use crate::{Context, Digest, DynOperation, Error, Kind, Operation, Result};

pub use self::stored::Fingerprint;

/// A run of one operation in a folder of the test's.
///
/// ```no_run
/// # use flow_plugin::{testing::Trial, Kind, Operation};
/// # fn f(operation: &impl Operation) -> flow_plugin::Result<()> {
/// let done = Trial::new("/tmp/trial")
///     .input("data", Kind::Dataset, "/tmp/data")
///     .params(serde_json::json!({ "epochs": 3 }))
///     .run(operation)?;
/// println!("{}", done.output("model").display());
/// # Ok(()) }
/// ```
pub struct Trial {
    folder: PathBuf,
    params: Value,
    job: Job,
    cancelled: Arc<AtomicBool>,
}

/// What a [`Trial`] left behind.
pub struct Finished {
    outputs: BTreeMap<String, PathBuf>,
    /// Every message the operation sent, in order.
    pub replies: Vec<Reply>,
}

impl Finished {
    /// Where an output was written.
    ///
    /// # Panics
    /// When the operation declares no such output.
    #[must_use]
    pub fn output(&self, port: &str) -> &Path {
        self.outputs.get(port).unwrap_or_else(|| panic!("no output `{port}`"))
    }
}

impl Trial {
    /// A run whose outputs go to `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let job = Job {
            id: 1,
            node: "trial".into(),
            operation: String::new(),
            params: Value::Null,
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            checkpoints: None,
            keep_state: false,
            continue_from: None,
            seed: 0,
            threads: 1,
        };
        Self { folder: folder.into(), params: Value::Object(Map::new()), job, cancelled: Arc::default() }
    }

    /// Connects an artifact to an input; several calls make a collection.
    #[must_use]
    pub fn input(mut self, port: &str, kind: Kind, path: impl Into<PathBuf>) -> Self {
        self.job.inputs.entry(port.to_owned()).or_default().push(InputArtifact {
            path: path.into(),
            kind,
            digest: Digest::of(b""),
            coordinates: Arc::default(),
            cost: None,
        });
        self
    }

    /// Sets the parameters; those left out take their defaults.
    #[must_use]
    pub fn params(mut self, params: Value) -> Self {
        self.params = params;
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.job.seed = seed;
        self
    }

    /// Gives the operation a folder for checkpoints.
    #[must_use]
    pub fn checkpoints(mut self, folder: impl Into<PathBuf>) -> Self {
        self.job.checkpoints = Some(folder.into());
        self
    }

    /// Lets the operation keep its final state, in the folder of the checkpoints.
    #[must_use]
    pub fn keep_state(mut self) -> Self {
        self.job.keep_state = true;
        self
    }

    /// Offers the final state of a shorter computation.
    #[must_use]
    pub fn continue_from(mut self, folder: impl Into<PathBuf>) -> Self {
        self.job.continue_from = Some(folder.into());
        self
    }

    /// Lets the test ask the operation to stop.
    #[must_use]
    pub fn cancelled_by(mut self, flag: Arc<AtomicBool>) -> Self {
        self.cancelled = flag;
        self
    }

    /// Checks the parameters and runs the operation.
    ///
    /// # Errors
    /// A problem in the parameters, or the operation's own failure.
    pub fn run(mut self, operation: &impl Operation) -> Result<Finished> {
        let checked = DynOperation::check(operation, &self.params, &[]).map_err(|problems| {
            let text: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.at, p.message)).collect();
            Error::bad_input(text.join("; "))
        })?;
        std::fs::create_dir_all(&self.folder)?;
        for port in &checked.outputs {
            self.job.outputs.insert(port.name.clone(), self.folder.join(&port.name));
        }
        let outputs = self.job.outputs.clone();
        let replies = Arc::new(Mutex::new(Vec::new()));
        let sink = replies.clone();
        let send = move |reply| sink.lock().unwrap_or_else(PoisonError::into_inner).push(reply);
        let context = Context::new(self.job, Stop::of(self.cancelled), Box::new(send));
        DynOperation::run(operation, checked.params, &context)?;
        let replies = std::mem::take(&mut *replies.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Finished { outputs, replies })
    }
}
