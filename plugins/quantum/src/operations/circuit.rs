//! `quantum/circuit`, `quantum/sample` and `quantum/resources`.

use std::fmt::Display;
use std::path::Path;

use flow_plugin::artifact::metrics::write_metrics;
use flow_plugin::artifact::{Dataset, DatasetWriter, Variable};
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::serde_json::json;
use flow_plugin::{Context, Error, Kind, Operation, ParamProblem, Port, Result, Spec};

use super::data::{graph, graph_port};
use crate::circuit::{Circuit as Gates, Compiled, DensityMatrix, Noise, draw, qasm, trajectory};
use crate::htaac::Problem;
use crate::matrix::Spectrum;
use crate::random::Random;
use crate::resources::{Measured, Resources};
use crate::shots::multinomial;
use crate::simulator::brick::Ansatz;

/// Writes, reads and draws circuits.
pub(crate) struct Circuit;

/// Parameters of `quantum/circuit`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct CircuitParams {
    /// An OpenQASM 3 file, instead of trained states.
    #[serde(default)]
    #[schemars(with = "Option<String>", extend("format" = "path"))]
    file: Option<String>,
    /// Which run of the trained states, from 0.
    #[serde(default)]
    run: usize,
    /// Add the Hadamard test of `exp(iαW)`, one Trotter step.
    #[serde(default)]
    hadamard_test: bool,
    /// The factor in front of W for the test; that of `quantum/htaac` if left out.
    #[serde(default)]
    #[schemars(range(min = 1e-9, max = 1e9))]
    alpha: Option<f64>,
    /// Trotter steps of the test.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10_000))]
    steps: usize,
    /// Columns that are drawn.
    #[serde(default = "columns")]
    #[schemars(range(min = 1, max = 10_000))]
    columns: usize,
}

fn one() -> usize {
    1
}

fn columns() -> usize {
    24
}

/// The Hadamard test has up to 4ⁿ rotations a step.
const TEST_QUBITS: usize = 8;
const TEST_ROTATIONS: usize = 1 << 21;

fn circuit_port(name: &str) -> Port {
    Port::new(name, Kind::File, "The circuit in OpenQASM 3.").of_type("quantum/circuit@1")
}

fn read_circuit(path: &Path) -> Result<Gates> {
    let bad = |error: &dyn Display| Error::bad_input(format!("`{}`: {error}", path.display()));
    let text = crate::text::read(path).map_err(|error| bad(&error))?;
    qasm::read(&text).map_err(|error| bad(&error))
}

fn trained(params: &CircuitParams, context: &Context) -> Result<Gates> {
    let states = Dataset::open(&context.input("states")?.path)?;
    let (size, count) = (states.dim("state").unwrap_or(0), states.dim("angle").unwrap_or(0));
    let qubits = size.checked_ilog2().unwrap_or(0) as usize;
    let amplitudes_only = qubits == 0 || count % qubits != 0 || count == size;
    if amplitudes_only || params.run >= states.dim("run").unwrap_or(0) {
        return Err(Error::bad_input(format!("there is no circuit of run {} in the states", params.run))
            .hint("states trained with `ansatz: none` have none; runs are numbered from 0"));
    }
    let angles = states.read_rows::<f64>("angle", params.run..params.run + 1)?;
    Ok(Gates::of_ansatz(Ansatz { qubits, layers: count / qubits }).bound(&angles))
}

impl Operation for Circuit {
    type Params = CircuitParams;

    fn spec(&self) -> Spec {
        let states = Port::new("states", Kind::Dataset, "Trained states, from `quantum/htaac`.")
            .of_type("quantum/states@1")
            .optional();
        let doc = "The trained circuit, or one from a file, in OpenQASM 3, which other programs read. The Hadamard \
                   test (up to 8 qubits) takes W as its sum of Pauli strings, a controlled rotation for each. Read \
                   are the gates of `stdgates.inc` that this plugin simulates, `ctrl @`, and angles of numbers and \
                   `pi`.";
        Spec::new("circuit", 2, "Writes a circuit as OpenQASM 3, and draws it.")
            .doc(doc)
            .input(states)
            .input(Port { optional: true, ..graph_port("graph") })
            .output(circuit_port("circuit"))
            .output(Port::new("drawing", Kind::File, "The circuit as an SVG picture."))
            .output(Port::new("metrics", Kind::Metrics, "`qubits`, `gates`, `depth`, `angles`."))
    }

    fn run(&self, params: CircuitParams, context: &Context) -> Result<()> {
        let mut circuit = match (&params.file, context.optional_input("states")) {
            (Some(path), None) => read_circuit(path.as_ref())?,
            (None, Some(_)) => trained(&params, context)?,
            _ => return Err(Error::bad_input("give either `file` or the input `states`")),
        };
        if params.hadamard_test {
            if circuit.qubits > TEST_QUBITS || circuit.angles > 0 {
                let (qubits, angles) = (circuit.qubits, circuit.angles);
                let message = format!(
                    "the Hadamard test is written for circuits of up to {TEST_QUBITS} qubits without free angles; this one has \
                     {qubits} qubits and {angles} angles"
                );
                return Err(Error::bad_input(message));
            }
            let rotations = params.steps.saturating_mul(1 << (2 * circuit.qubits));
            if rotations > TEST_ROTATIONS {
                return Err(Error::bad_input(format!(
                    "{} steps on {} qubits may take {rotations} rotations; at most {TEST_ROTATIONS} are written",
                    params.steps, circuit.qubits
                ))
                .hint("fewer `steps`"));
            }
            let graph = graph(context)?;
            if graph.vertices() > 1 << circuit.qubits {
                return Err(Error::bad_input(format!(
                    "the graph has {} vertices, more than the {} amplitudes of the circuit",
                    graph.vertices(),
                    1 << circuit.qubits
                )));
            }
            let alpha = params.alpha.unwrap_or_else(|| Spectrum::of(&graph).alpha());
            circuit = qasm::hadamard_test(&graph, &circuit, alpha, params.steps);
        }
        std::fs::write(context.output("circuit")?, qasm::write(&circuit))?;
        std::fs::write(context.output("drawing")?, draw(&circuit, params.columns))?;
        let metrics = json!({
            "qubits": circuit.qubits,
            "gates": circuit.operations.len(),
            "depth": circuit.depth(),
            "angles": circuit.angles,
        });
        Ok(write_metrics(context.output("metrics")?, &metrics)?)
    }
}

/// Measures circuits.
pub(crate) struct Sample;

/// Parameters of `quantum/sample`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct SampleParams {
    /// Shots.
    #[serde(default = "shots")]
    #[schemars(range(min = 1, max = 100_000_000))]
    shots: usize,
    /// Probability that a qubit is depolarised after a gate on it.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    depolarizing: f64,
    /// Probability that |1⟩ falls to |0⟩ after a gate on it.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    damping: f64,
    /// Probability that a bit is read wrongly.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    readout: f64,
    /// Random courses of a noisy circuit of more than 6 qubits, each with its share of the shots.
    #[serde(default = "courses")]
    #[schemars(range(min = 1, max = 1_000_000))]
    courses: usize,
    /// The seed.
    #[serde(default)]
    seed: u64,
}

fn shots() -> usize {
    10_000
}

fn courses() -> usize {
    100
}

/// Qubits up to which noise is exact, and up to which states are held.
const EXACT: usize = 6;
const MOST: usize = 26;

impl Operation for Sample {
    type Params = SampleParams;

    fn spec(&self) -> Spec {
        let counts = Port::new("counts", Kind::Dataset, "How often each bit string was read.")
            .of_type("quantum/counts@1")
            .variable("count", "i64", ["outcome"], "1");
        let doc = "Measures all qubits of a circuit so many times. Noise acts on each qubit of every gate: exactly, by \
                   the density matrix, up to 6 qubits, and by random courses beyond. Qubit 0 is the most significant \
                   bit of an outcome.";
        Spec::new("sample", 2, "Measures a circuit, with or without noise.")
            .doc(doc)
            .tolerance(1e-2)
            .input(circuit_port("circuit"))
            .output(counts)
    }

    fn check(&self, params: &SampleParams) -> Vec<ParamProblem> {
        let problem = ParamProblem {
            at: "courses".into(),
            message: format!("there are fewer shots ({}) than courses ({})", params.shots, params.courses),
            hint: None,
        };
        let noisy = params.depolarizing > 0.0 || params.damping > 0.0;
        if noisy && params.courses > params.shots { vec![problem] } else { Vec::new() }
    }

    fn run(&self, params: SampleParams, context: &Context) -> Result<()> {
        let path = &context.input("circuit")?.path;
        let circuit = read_circuit(path)?;
        if circuit.qubits > MOST || circuit.angles > 0 {
            return Err(Error::bad_input(format!(
                "`{}`: circuits of up to {MOST} qubits without free angles are measured; this one has {} qubits and {} angles",
                path.display(),
                circuit.qubits,
                circuit.angles
            )));
        }
        let noise =
            Noise { depolarizing: params.depolarizing, damping: params.damping, readout: params.readout };
        let noisy = params.depolarizing > 0.0 || params.damping > 0.0;
        let mut random = Random::new(params.seed, 0);
        let mut counts = vec![0_i64; 1 << circuit.qubits];
        let mut add = |probabilities: Vec<f64>, shots: usize, random: &mut Random| {
            let seen = multinomial(&noise.read(probabilities), shots, random);
            counts.iter_mut().zip(seen).for_each(|(c, s)| *c += s as i64);
        };
        if !noisy {
            add(Compiled::new(&circuit)?.run(&[]).probabilities(), params.shots, &mut random);
        } else if circuit.qubits <= EXACT {
            add(DensityMatrix::of(&circuit, &noise)?.probabilities(), params.shots, &mut random);
        } else {
            for course in 0..params.courses {
                context.check_cancelled()?;
                context.progress(course as u64, params.courses as u64, "courses", "");
                let share =
                    (course + 1) * params.shots / params.courses - course * params.shots / params.courses;
                let mut own = Random::new(params.seed, 1 + course as u64);
                let state = trajectory(&circuit, &noise, &mut own)?;
                add(state.probabilities(), share, &mut random);
            }
        }
        let mut writer = DatasetWriter::create(context.output("counts")?)?;
        let shape = [counts.len()];
        writer.write(&Variable::new::<i64>("count", &["outcome"], &shape, "1", "shots"), &counts)?;
        writer.finish()?;
        Ok(())
    }
}

/// Counts what hardware would need.
pub(crate) struct ResourceCount;

/// Parameters of `quantum/resources`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct ResourceParams {
    /// Layers of rotations; those of `quantum/htaac` if left out.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000))]
    layers: Option<usize>,
    /// The factor in front of W; that of `quantum/htaac` if left out.
    #[serde(default)]
    #[schemars(range(min = 1e-9, max = 1e9))]
    alpha: Option<f64>,
    /// Whether the constraints are the authors' strings of Z instead of collisions.
    #[serde(default)]
    strings: bool,
}

impl Operation for ResourceCount {
    type Params = ResourceParams;

    fn spec(&self) -> Spec {
        Spec::new(
            "resources",
            2,
            "Counts what a quantum computer would need: qubits, gates, circuits, shots.",
        )
        .input(graph_port("graph"))
        .output(Port::new("metrics", Kind::Metrics, "The counts."))
    }

    fn run(&self, params: ResourceParams, context: &Context) -> Result<()> {
        let graph = graph(context)?;
        let layers = params.layers.unwrap_or_else(|| Problem::layers(&graph, 1.0));
        let ansatz = Ansatz { qubits: Problem::qubits(&graph), layers };
        let spectrum = Spectrum::of(&graph);
        let alpha = params.alpha.unwrap_or(spectrum.alpha());
        let measured = if params.strings { Measured::Strings } else { Measured::Collisions };
        let resources = Resources::of(&graph, ansatz, measured, alpha, spectrum.norm());
        Ok(write_metrics(context.output("metrics")?, &resources)?)
    }
}
