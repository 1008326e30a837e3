//! Operations: what a stage runs.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Context, Port, Result};

/// A unit of work with typed parameters and ports.
///
/// Parameters are a `serde` type that also derives [`JsonSchema`]; its doc comments become the
/// documentation, its defaults the defaults, its validation attributes are checked before anything runs. Use
/// `#[serde(deny_unknown_fields)]` so that a misspelt parameter is an error.
pub trait Operation: Send + Sync + 'static {
    /// The parameters, given under `with:` in a workflow.
    type Params: Serialize + DeserializeOwned + JsonSchema;

    /// Its name, version, documentation and ports.
    fn spec(&self) -> Spec;

    /// Checks that a schema cannot express, such as `minimum < maximum`. Called before anything runs.
    fn check(&self, _params: &Self::Params) -> Vec<ParamProblem> {
        Vec::new()
    }

    /// The output ports for these parameters and input types, where they depend on them.
    fn outputs(&self, _params: &Self::Params, _inputs: &[Port]) -> Vec<Port> {
        self.spec().outputs
    }

    /// Whether, with these parameters, going on from the final state of a shorter computation gives the bits of
    /// one that starts afresh. Asked of operations that declare an [extendable](Spec::extendable) parameter: a
    /// schedule that depends on the total, say, makes it false.
    fn continues(&self, _params: &Self::Params) -> bool {
        true
    }

    /// Computes the outputs. Runs in a worker process.
    ///
    /// # Errors
    /// Any failure; the engine reports it with the node's name and log.
    fn run(&self, params: Self::Params, context: &Context) -> Result<()>;
}

/// What an operation declares about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The verb. With the plugin's name in front it is the operation's name: `ccs/simulate`.
    pub name: String,
    /// The declared version: part of every key. Raise it whenever results change.
    pub version: u32,
    /// What it does, in one sentence.
    pub summary: String,
    /// The documentation, as Markdown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// JSON Schema of the parameters.
    #[serde(default)]
    pub params: Value,
    /// The inputs, in the order in which they enter the key.
    #[serde(default)]
    pub inputs: Vec<Port>,
    /// The outputs.
    pub outputs: Vec<Port>,
    /// It reports time: it runs with nothing else of the run beside it, and is left out of byte comparisons.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub measures: bool,
    /// It saves checkpoints and goes on from them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub checkpoints: bool,
    /// One integer parameter (a dotted path) whose larger values may go on from a smaller one's final state,
    /// where [`Operation::continues`] agrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extendable: Option<String>,
    /// Relative tolerance within which results agree across instruction sets; 0 means bit for bit.
    #[serde(default)]
    pub tolerance: f64,
    /// What results depend on beside the declared version, by name: digests of the source files of a plugin that
    /// is interpreted, versions of what interprets it. Part of every key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub code: BTreeMap<String, String>,
    /// Its own code has something to say about parameters, or its outputs depend on them: it is to be asked.
    /// Without it, the schema says all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub checks: bool,
}

impl Spec {
    /// An operation with this verb, declared version and one-sentence summary.
    pub fn new(name: &str, version: u32, summary: &str) -> Self {
        Self {
            name: name.to_owned(),
            version,
            summary: summary.to_owned(),
            doc: String::new(),
            params: Value::Null,
            inputs: Vec::new(),
            outputs: Vec::new(),
            measures: false,
            checkpoints: false,
            extendable: None,
            tolerance: 0.0,
            code: BTreeMap::new(),
            checks: false,
        }
    }

    /// Sets the documentation (Markdown).
    #[must_use]
    pub fn doc(mut self, doc: &str) -> Self {
        doc.clone_into(&mut self.doc);
        self
    }

    /// Adds an input.
    #[must_use]
    pub fn input(mut self, port: Port) -> Self {
        self.inputs.push(port);
        self
    }

    /// Adds an output.
    #[must_use]
    pub fn output(mut self, port: Port) -> Self {
        self.outputs.push(port);
        self
    }

    /// Declares that the operation reports time: it runs alone.
    #[must_use]
    pub fn measures(mut self) -> Self {
        self.measures = true;
        self
    }

    /// Declares that the operation saves checkpoints and goes on from them.
    #[must_use]
    pub fn checkpoints(mut self) -> Self {
        self.checkpoints = true;
        self
    }

    /// Declares the parameter whose larger values go on from a smaller one's final state. The operation leaves
    /// that state with [`Context::keep`] and takes it up with [`Context::resume`].
    #[must_use]
    pub fn extendable(mut self, parameter: &str) -> Self {
        self.extendable = Some(parameter.to_owned());
        self
    }

    /// Makes an operation of this declaration and a function: the short form of [`Operation`], for those that have
    /// nothing to check beyond the schema of their parameters, and whose outputs do not depend on them.
    ///
    /// ```no_run
    /// use flow_plugin::schemars::{self, JsonSchema};
    /// use flow_plugin::serde::{Deserialize, Serialize};
    /// use flow_plugin::{Context, Kind, Plugin, Port, Result, Spec};
    ///
    /// #[derive(Serialize, Deserialize, JsonSchema)]
    /// #[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
    /// struct Repeat {
    ///     /// How often.
    ///     times: usize,
    /// }
    ///
    /// fn repeat(params: Repeat, context: &Context) -> Result<()> {
    ///     let text = std::fs::read_to_string(&context.input("text")?.path)?;
    ///     Ok(std::fs::write(context.output("text")?, text.repeat(params.times))?)
    /// }
    ///
    /// fn main() -> std::io::Result<()> {
    ///     let repeat = Spec::new("repeat", 1, "Repeats a text.")
    ///         .input(Port::new("text", Kind::File, "A text."))
    ///         .output(Port::new("text", Kind::File, "The text, again and again."))
    ///         .runs(repeat);
    ///     flow_plugin::serve(vec![Plugin::new("texts", "0.1.0", "Works on texts.").with(repeat)])
    /// }
    /// ```
    pub fn runs<P, F>(self, run: F) -> Function<P, F>
    where
        F: Fn(P, &Context) -> Result<()>,
    {
        Function { spec: self, run, params: PhantomData }
    }

    /// Sets the relative tolerance within which results agree across instruction sets.
    #[must_use]
    pub fn tolerance(mut self, relative: f64) -> Self {
        self.tolerance = relative;
        self
    }
}

/// An operation made of a declaration and a function; [`Spec::runs`] makes one.
pub struct Function<P, F> {
    spec: Spec,
    run: F,
    params: PhantomData<fn() -> P>,
}

impl<P, F> Operation for Function<P, F>
where
    P: Serialize + DeserializeOwned + JsonSchema + 'static,
    F: Fn(P, &Context) -> Result<()> + Send + Sync + 'static,
{
    type Params = P;

    fn spec(&self) -> Spec {
        self.spec.clone()
    }

    fn run(&self, params: P, context: &Context) -> Result<()> {
        (self.run)(params, context)
    }
}

/// A parameter that is wrong although its schema allows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParamProblem {
    /// Where, as a dotted path below `with:`; empty for the whole.
    pub at: String,
    /// What is wrong and what was expected.
    pub message: String,
    /// What to write instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Parameters that passed every check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// The parameters with all defaults filled in, as they enter the key.
    pub params: Value,
    /// The output ports for these parameters.
    pub outputs: Vec<Port>,
    /// Whether, if the operation is extendable, it is so with these parameters.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continues: bool,
}

/// An [`Operation`] with its parameter type erased.
pub trait DynOperation: Send + Sync {
    /// Its declaration, with the parameters' JSON Schema filled in.
    fn spec(&self) -> Spec;

    /// Fills in defaults, checks, and resolves the output ports.
    ///
    /// # Errors
    /// Every problem found in the parameters.
    fn check(&self, params: &Value, inputs: &[Port]) -> Result<Checked, Vec<ParamProblem>>;

    /// Runs with parameters that passed [`DynOperation::check`].
    ///
    /// # Errors
    /// Whatever [`Operation::run`] reports.
    fn run(&self, params: Value, context: &Context) -> Result<()>;
}

impl<O: Operation> DynOperation for O {
    fn spec(&self) -> Spec {
        let mut spec = Operation::spec(self);
        // Inlined subschemas: every property's documentation and constraints stand where it is used.
        let generator = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true).into_generator();
        spec.params = generator.into_root_schema_for::<O::Params>().to_value();
        spec
    }

    fn check(&self, params: &Value, inputs: &[Port]) -> Result<Checked, Vec<ParamProblem>> {
        let typed: O::Params = parse(params).map_err(|problem| vec![problem])?;
        let problems = Operation::check(self, &typed);
        if !problems.is_empty() {
            return Err(problems);
        }
        let outputs = self.outputs(&typed, inputs);
        let continues = self.continues(&typed);
        let params = serde_json::to_value(&typed).map_err(|error| {
            vec![ParamProblem { at: String::new(), message: error.to_string(), hint: None }]
        })?;
        Ok(Checked { params, outputs, continues })
    }

    fn run(&self, params: Value, context: &Context) -> Result<()> {
        let typed = serde_json::from_value(params)?;
        Operation::run(self, typed, context)
    }
}

fn parse<P: DeserializeOwned>(params: &Value) -> Result<P, ParamProblem> {
    P::deserialize(params).map_err(|error| ParamProblem {
        at: String::new(),
        message: error.to_string(),
        hint: None,
    })
}
