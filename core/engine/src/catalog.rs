//! What operations there are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flow_plugin::{Checked, ParamProblem, Plugin, Port, Spec};
use serde_json::Value;

use crate::host;
pub use crate::host::{Finding, Judgement};
use crate::run::Program;

/// The operations a workflow may use: their declarations, and the checks that only their own code can do.
///
/// Declarations are asked for once; a catalogue is cheap to look things up in.
pub struct Catalog {
    plugins: Vec<Plugin>,
    specs: BTreeMap<String, Spec>,
    /// By name: what serves a plugin outside this program.
    programs: BTreeMap<String, Arc<Program>>,
    /// Plugins that a workflow names, and that cannot be used.
    broken: BTreeSet<String>,
    /// Whether plugins outside this program are started to be asked what they offer.
    starts_programs: bool,
}

impl Catalog {
    /// The operations of these plugins.
    #[must_use]
    pub fn new(plugins: Vec<Plugin>) -> Self {
        let specs = plugins.iter().flat_map(Plugin::specs).map(|spec| (spec.name.clone(), spec)).collect();
        Self { plugins, specs, programs: BTreeMap::new(), broken: BTreeSet::new(), starts_programs: true }
    }

    /// Never starts a program: workflows with plugins outside this one are checked as far as that goes, and refused.
    /// For workflows that nobody trusts.
    #[must_use]
    pub fn without_programs(self) -> Self {
        Self { starts_programs: false, ..self }
    }

    /// Whether plugins outside this program may be started.
    pub(crate) fn starts_programs(&self) -> bool {
        self.starts_programs
    }

    /// Adds a plugin outside this program, in place of one of the same name that was added before. Gives it back
    /// where the name belongs to a plugin of this program.
    pub(crate) fn host(&mut self, plugin: Plugin, program: Arc<Program>) -> Result<(), Plugin> {
        let name = plugin.name().to_owned();
        if self.is_built_in(&name) {
            return Err(plugin);
        }
        self.plugins.retain(|known| known.name() != name);
        let prefix = format!("{name}/");
        self.specs.retain(|operation, _| !operation.starts_with(&prefix));
        self.specs.extend(plugin.specs().into_iter().map(|spec| (spec.name.clone(), spec)));
        self.plugins.push(plugin);
        self.programs.insert(name, program);
        Ok(())
    }

    /// Whether a plugin of this name is part of this program.
    pub(crate) fn is_built_in(&self, name: &str) -> bool {
        self.plugins.iter().any(|known| known.name() == name) && !self.programs.contains_key(name)
    }

    /// Notes that a plugin cannot be used: what would use it is not to blame.
    pub(crate) fn set_broken(&mut self, name: &str) {
        self.broken.insert(name.to_owned());
    }

    /// Whether an operation's plugin cannot be used, which has been reported.
    pub(crate) fn is_broken(&self, operation: &str) -> bool {
        operation.split_once('/').is_some_and(|(plugin, _)| self.broken.contains(plugin))
    }

    /// Tries the plugins outside this program: what each was asked to do, and what is wrong.
    #[must_use]
    pub fn try_out(&self) -> Vec<(&str, Vec<Finding>)> {
        self.programs.iter().map(|(name, program)| (name.as_str(), host::try_out(name, program))).collect()
    }

    /// What serves an operation, if that is not the engine's own program.
    pub(crate) fn program_of(&self, operation: &str) -> Option<&Arc<Program>> {
        self.programs.get(operation.split_once('/')?.0)
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
