//! A bundle of operations.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{DynOperation, Operation, Spec};

/// A named bundle of operations.
///
/// ```no_run
/// # use flow_plugin::{Context, Operation, Plugin, Result, Spec};
/// # struct Hello;
/// # impl Operation for Hello {
/// #     type Params = ();
/// #     fn spec(&self) -> Spec { Spec::new("hello", 1, "Says hello.") }
/// #     fn run(&self, _: (), _: &Context) -> Result<()> { Ok(()) }
/// # }
/// fn main() -> std::io::Result<()> {
///     flow_plugin::serve(vec![Plugin::new("mine", "0.1.0", "My operations.").with(Hello)])
/// }
/// ```
#[derive(Clone)]
pub struct Plugin {
    name: String,
    version: String,
    summary: String,
    operations: BTreeMap<String, Arc<dyn DynOperation>>,
}

impl Plugin {
    /// A plugin without operations yet. Its version is recorded with every result, but is not part of keys.
    #[must_use]
    pub fn new(name: &str, version: &str, summary: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            summary: summary.to_owned(),
            operations: BTreeMap::new(),
        }
    }

    /// Adds an operation. Of two with one verb the later one counts.
    #[must_use]
    pub fn with(mut self, operation: impl Operation) -> Self {
        self.operations.insert(Operation::spec(&operation).name, Arc::new(operation));
        self
    }

    /// Adds an operation whose parameters have no Rust type, such as one that runs elsewhere.
    #[must_use]
    pub fn with_dyn(mut self, operation: Arc<dyn DynOperation>) -> Self {
        self.operations.insert(operation.spec().name, operation);
        self
    }

    /// The plugin's name: what stands before the slash in an operation's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The plugin's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What the plugin is for, in one sentence.
    #[must_use]
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// The operation with this verb.
    #[must_use]
    pub fn operation(&self, verb: &str) -> Option<&Arc<dyn DynOperation>> {
        self.operations.get(verb)
    }

    /// The verbs of its operations, sorted.
    pub fn verbs(&self) -> impl Iterator<Item = &str> {
        self.operations.keys().map(String::as_str)
    }

    /// The declarations of its operations with full names (`plugin/verb`), sorted.
    #[must_use]
    pub fn specs(&self) -> Vec<Spec> {
        self.operations
            .values()
            .map(|operation| {
                let mut spec = operation.spec();
                spec.name = format!("{}/{}", self.name, spec.name);
                spec
            })
            .collect()
    }
}
