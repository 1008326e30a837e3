//! What operations there are.

use std::collections::BTreeMap;

use flow_plugin::{Checked, ParamProblem, Plugin, Port, Spec};
use serde_json::Value;

/// The operations a workflow may use: their declarations, and the checks that only their own code can do.
///
/// Declarations are asked for once; a catalogue is cheap to look things up in.
pub struct Catalog {
    plugins: Vec<Plugin>,
    specs: BTreeMap<String, Spec>,
}

impl Catalog {
    /// The operations of these plugins.
    #[must_use]
    pub fn new(plugins: Vec<Plugin>) -> Self {
        let specs = plugins.iter().flat_map(Plugin::specs).map(|spec| (spec.name.clone(), spec)).collect();
        Self { plugins, specs }
    }

    /// The plugins, in the order in which they were given.
    #[must_use]
    pub fn plugins(&self) -> &[Plugin] {
        &self.plugins
    }

    /// The declaration of an operation, by full name (`plugin/verb`).
    #[must_use]
    pub fn get(&self, operation: &str) -> Option<&Spec> {
        self.specs.get(operation)
    }

    /// The full names of all operations, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.specs.keys().map(String::as_str)
    }

    /// The name and version of the plugin that an operation comes from.
    #[must_use]
    pub fn plugin_of(&self, operation: &str) -> Option<&Plugin> {
        let (plugin, _) = operation.split_once('/')?;
        self.plugins.iter().find(|p| p.name() == plugin)
    }

    /// Lets the operation's own code fill in defaults and check what a schema cannot express.
    ///
    /// # Errors
    /// Every problem found, or one that says that the operation is unknown.
    pub fn check(
        &self,
        operation: &str,
        params: &Value,
        inputs: &[Port],
    ) -> Result<Checked, Vec<ParamProblem>> {
        let found = self.plugin_of(operation).and_then(|plugin| {
            let (_, verb) = operation.split_once('/')?;
            plugin.operation(verb)
        });
        match found {
            Some(found) => found.check(params, inputs),
            None => Err(vec![ParamProblem {
                at: String::new(),
                message: format!("there is no operation `{operation}`"),
                hint: None,
            }]),
        }
    }
}
