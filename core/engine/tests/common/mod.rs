//! A plugin whose operations declare everything that a workflow can get wrong, and short ways to load text.
#![allow(clippy::unwrap_used, clippy::panic, dead_code, missing_docs, unreachable_pub)]

use std::path::{Path, PathBuf};

use flow_engine::catalog::Catalog;
use flow_engine::graph::Graph;
use flow_engine::workflow::{Options, load};
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::{Context, Kind, Operation, ParamProblem, Plugin, Port, Result, Spec};

struct Geology;

/// Parameters of `lab/geology`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
struct GeologyParams {
    /// How many reservoirs to draw.
    #[schemars(range(min = 1, max = 100_000))]
    samples: u32,
    /// Seed of the draws.
    #[serde(default)]
    seed: u64,
    /// Radius of the reservoir.
    #[serde(default = "radius")]
    #[schemars(range(min = 1.0), extend("x-unit" = "m"))]
    radius: f64,
    /// Range of depths.
    #[serde(default)]
    #[schemars(extend("x-unit" = "m"))]
    depth: Option<[f64; 2]>,
    /// Kind of field.
    #[serde(default)]
    field: Field,
}

fn radius() -> f64 {
    1000.0
}

/// A random field.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", rename_all = "snake_case")]
enum Field {
    /// Logarithms are Gaussian.
    #[default]
    LogGaussian,
    /// Fractal.
    VonKarman,
}

impl Operation for Geology {
    type Params = GeologyParams;

    fn spec(&self) -> Spec {
        Spec::new("geology", 3, "Draws reservoirs.").output(
            Port::new("reservoirs", Kind::Dataset, "The reservoirs.")
                .of_type("lab/reservoirs@1")
                .variable("permeability", "f32", ["sample", "z", "r"], "mD")
                .variable("porosity", "f32", ["sample", "z", "r"], "1"),
        )
    }

    fn check(&self, params: &GeologyParams) -> Vec<ParamProblem> {
        match params.depth {
            Some([top, bottom]) if top >= bottom => vec![ParamProblem {
                at: "depth".into(),
                message: format!("the range ends at {bottom}, before it starts at {top}"),
                hint: Some("write the smaller one first".into()),
            }],
            _ => Vec::new(),
        }
    }

    fn run(&self, _: GeologyParams, _: &Context) -> Result<()> {
        Ok(())
    }
}

struct Simulate;

/// Parameters of `lab/simulate`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
struct SimulateParams {
    /// Largest number of Newton iterations.
    #[serde(default = "ten")]
    newton: u8,
    /// Case to read instead.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    case: Option<PathBuf>,
}

fn ten() -> u8 {
    10
}

impl Operation for Simulate {
    type Params = SimulateParams;

    fn spec(&self) -> Spec {
        Spec::new("simulate", 1, "Simulates.")
            .checkpoints()
            .input(
                Port::new("reservoirs", Kind::Dataset, "What to simulate.")
                    .of_type("lab/reservoirs@1")
                    .variable("permeability", "f32", ["sample", "z", "r"], "mD"),
            )
            .output(
                Port::new("solutions", Kind::Dataset, "Pressure.")
                    .variable("pressure", "f32", ["sample", "time", "z", "r"], "bar")
                    .variable("saturation", "f32", ["sample", "time", "z", "r"], "1"),
            )
            .output(Port::new("metrics", Kind::Metrics, "Counts."))
    }

    fn run(&self, _: SimulateParams, _: &Context) -> Result<()> {
        Ok(())
    }
}

struct Train;

/// Parameters of `lab/train`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
struct TrainParams {
    /// The network.
    model: Model,
    /// How often to go through the data.
    #[serde(default = "ten")]
    epochs: u8,
    /// Learning rate.
    #[serde(default = "rate")]
    #[schemars(extend("exclusiveMinimum" = 0.0, "maximum" = 1.0))]
    learning_rate: f64,
    /// Seed of the weights.
    #[serde(default)]
    seed: u64,
    /// Fractions of training and validation cases.
    #[serde(default)]
    split: Vec<f64>,
}

fn rate() -> f64 {
    1e-3
}

/// A network.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum Model {
    /// Fourier neural operator.
    Fno {
        /// Channels.
        #[serde(default)]
        width: u32,
        /// Modes by dimension.
        #[serde(default)]
        modes: [u32; 2],
    },
    /// The same with a U-Net beside.
    Ufno {
        /// Channels.
        #[serde(default)]
        width: u32,
    },
}

impl Operation for Train {
    type Params = TrainParams;

    fn spec(&self) -> Spec {
        Spec::new("train", 1, "Trains.")
            .input(Port::new("data", Kind::Dataset, "Inputs and outputs.").variable(
                "pressure",
                "f32",
                ["sample", "time", "z", "r"],
                "bar",
            ))
            .output(Port::new("model", Kind::Model, "The network."))
            .output(Port::new("history", Kind::Table, "Losses."))
    }

    fn check(&self, params: &TrainParams) -> Vec<ParamProblem> {
        match params.split.len() > usize::from(params.epochs) {
            true => vec![ParamProblem {
                at: "split".into(),
                message: "there are more parts than epochs".into(),
                hint: None,
            }],
            false => Vec::new(),
        }
    }

    fn run(&self, _: TrainParams, _: &Context) -> Result<()> {
        Ok(())
    }
}

struct Evaluate;

/// Parameters of `lab/evaluate`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
struct EvaluateParams {}

impl Operation for Evaluate {
    type Params = EvaluateParams;

    fn spec(&self) -> Spec {
        Spec::new("evaluate", 1, "Evaluates.")
            .input(Port::new("model", Kind::Model, "The network."))
            .input(Port::new("data", Kind::Dataset, "The truth.").variable(
                "pressure",
                "f32",
                ["sample", "time", "z", "r"],
                "Pa",
            ))
            .output(Port::new("metrics", Kind::Metrics, "Errors."))
            .output(Port::new("figures", Kind::Figure, "Maps."))
    }

    fn run(&self, _: EvaluateParams, _: &Context) -> Result<()> {
        Ok(())
    }
}

struct Score;

impl Operation for Score {
    type Params = EvaluateParams;

    fn spec(&self) -> Spec {
        Spec::new("score", 1, "Scores.")
            .input(Port::new("model", Kind::Model, "The network."))
            .input(Port::new("data", Kind::Dataset, "The truth."))
            .output(Port::new("metrics", Kind::Metrics, "Errors."))
    }

    fn run(&self, _: EvaluateParams, _: &Context) -> Result<()> {
        Ok(())
    }
}

struct Summary;

impl Operation for Summary {
    type Params = EvaluateParams;

    fn spec(&self) -> Spec {
        Spec::new("summary", 1, "Averages.")
            .measures()
            .input(Port::new("metrics", Kind::Metrics, "What to average.").many())
            .input(Port::new("extra", Kind::File, "Anything else.").many().optional())
            .output(Port::new("metrics", Kind::Metrics, "Means."))
    }

    fn run(&self, _: EvaluateParams, _: &Context) -> Result<()> {
        Ok(())
    }
}

pub fn catalog() -> Catalog {
    Catalog::new(vec![
        Plugin::new("lab", "0.1.0", "Operations of the tests.")
            .with(Geology)
            .with(Simulate)
            .with(Train)
            .with(Evaluate)
            .with(Score)
            .with(Summary),
        flow_demo::plugin(),
        flow_engine::exec::plugin(),
    ])
}

/// A folder with one workflow in it.
pub struct Folder(pub tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn load(
        &self,
        text: &str,
        profile: Option<&str>,
        set: &[&str],
    ) -> std::result::Result<Graph, String> {
        self.write("study.yaml", text);
        let options = Options {
            profile: profile.map(str::to_owned),
            set: set.iter().map(|&s| s.to_owned()).collect(),
            current_dir: self.path().to_owned(),
            cores: 4,
            store: None,
            tell: None,
        };
        load(&self.path().join("study.yaml"), &options, &mut catalog())
            .map_err(|problems| plain(&problems.to_string()))
    }
}

/// Text without colours.
pub fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            for c in chars.by_ref() {
                if c == 'm' {
                    break;
                }
            }
        } else {
            plain.push(c);
        }
    }
    plain
}

pub fn graph(text: &str) -> Graph {
    Folder::new().load(text, None, &[]).unwrap_or_else(|problems| panic!("{problems}"))
}

pub fn problems(text: &str) -> String {
    problems_with(text, None, &[])
}

pub fn problems_with(text: &str, profile: Option<&str>, set: &[&str]) -> String {
    match Folder::new().load(text, profile, set) {
        Ok(graph) => panic!("no problem found; {} nodes", graph.nodes.len()),
        Err(problems) => problems,
    }
}

pub fn names(graph: &Graph, stage: &str) -> Vec<String> {
    graph.nodes.iter().filter(|node| node.stage == stage).map(|node| node.name.clone()).collect()
}
