//! `quantum/evaluate`: what the quantum method reaches, against which yardsticks, at what cost.

use flow_plugin::artifact::Dataset;
use flow_plugin::artifact::figure::FigureWriter;
use flow_plugin::artifact::metrics::{number, read_metrics, write_metrics};
use flow_plugin::artifact::table::Table;
use flow_plugin::figure::{Boxes, LineChart, Scale, Series};
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::serde_json::{Map, Value, json};
use flow_plugin::{Context, Error, Kind, Operation, Port, Result, Spec};

use super::data::{assignments_port, best, graph, graph_port, mean, read_assignments};
use super::findings::{Compared, Method, findings};
use crate::cut::{Assignment, signs};
use crate::graph::{Graph, best_known};

/// Compares.
pub(crate) struct Evaluate;

/// Parameters of `quantum/evaluate`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct EvaluateParams {
    /// The largest cut known; looked up for graphs of the Gset collection if left out.
    #[serde(default)]
    best_known: Option<f64>,
}

const DOC: &str = "\
Puts the cuts of the last epoch beside four yardsticks: the best of random hyperplanes through the certified solution \
of the relaxation (Goemans and Williamson), the proved bound, simulated annealing, and the largest cut published. \
Ratios are of the *mean* over runs, last epoch, before any polish.

`assignment` holds the best sides found by any method: a line a vertex, `1` or `-1`. Anyone can recount its cut.";

/// Everything that is compared.
struct Found {
    graph: Graph,
    states: Dataset,
    raw: Vec<Assignment>,
    training: Map<String, Value>,
    bound: Map<String, Value>,
    rounded: Vec<Assignment>,
    polished: Vec<Assignment>,
    annealed: Vec<Assignment>,
    known: Option<f64>,
}

impl Found {
    fn read(params: &EvaluateParams, context: &Context) -> Result<Self> {
        let graph = graph(context)?;
        let states = Dataset::open(&context.input("states")?.path)?;
        let size = states.dim("state").filter(|&size| size >= graph.vertices()).ok_or_else(|| {
            Error::bad_input("the states are not those of this graph").hint("connect all inputs to one graph")
        })?;
        let raw = states.read::<f64>("amplitude")?.chunks_exact(size).map(|row| signs(&graph, row)).collect();
        let assignments = |port| read_assignments(&context.input(port)?.path, &graph);
        let (rounded, polished, annealed) =
            (assignments("rounded")?, assignments("polished")?, assignments("annealed")?);
        let metrics = |port| Ok::<_, Error>(read_metrics(&context.input(port)?.path)?);
        let (training, bound) = (metrics("training")?, metrics("bound")?);
        let known = params.best_known.or_else(|| best_known(&graph).map(|(_, cut)| cut));
        Ok(Self { graph, states, raw, training, bound, rounded, polished, annealed, known })
    }

    fn bound(&self) -> f64 {
        self.bound.get("sdp_bound").and_then(number).unwrap_or(f64::NAN)
    }

    /// The cuts of every epoch: one list a run.
    fn courses(&self) -> Result<Vec<Vec<f64>>> {
        let epochs = self.states.dim("epoch").unwrap_or(1);
        Ok(self.states.read::<f64>("cut")?.chunks_exact(epochs).map(<[f64]>::to_vec).collect())
    }
}

fn cuts(found: &[Assignment]) -> Vec<f64> {
    found.iter().map(Assignment::cut).collect()
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().filter(|v| !v.is_nan()).fold(f64::NEG_INFINITY, f64::max)
}

/// A ratio, if there is something to divide by.
fn ratio(a: f64, b: Option<f64>) -> Option<f64> {
    b.filter(|b| *b != 0.0 && b.is_finite()).map(|b| a / b)
}

impl Operation for Evaluate {
    type Params = EvaluateParams;

    fn spec(&self) -> Spec {
        let metrics = |name, doc| Port::new(name, Kind::Metrics, doc);
        let states = Port::new("states", Kind::Dataset, "Trained states, from `quantum/htaac`.")
            .of_type("quantum/states@1");
        Spec::new("evaluate", 2, "Compares the quantum method's cuts with four yardsticks.")
            .doc(DOC)
            .measures()
            .tolerance(5e-2)
            .input(graph_port("graph"))
            .input(states)
            .input(metrics("training", "`metrics` of `quantum/htaac`."))
            .input(metrics("bound", "`metrics` of `quantum/sdp`."))
            .input(assignments_port("rounded", "Cuts by hyperplanes, from `quantum/round`."))
            .input(assignments_port("polished", "The trained states' cuts, from `quantum/polish`."))
            .input(assignments_port("annealed", "Cuts by annealing, from `quantum/anneal`."))
            .input(metrics("direct", "`metrics` of `quantum/htaac` without a circuit.").optional())
            .output(metrics("metrics", "All numbers."))
            .output(Port::new("ratios", Kind::Table, "The mean cut of the last epoch over each yardstick."))
            .output(Port::new(
                "findings",
                Kind::Table,
                "What that shows, in words: what the circuit adds, and what not.",
            ))
            .output(Port::new("methods", Kind::Table, "Cuts and CPU seconds of every method."))
            .output(Port::new("resources", Kind::Table, "What a quantum computer would need."))
            .output(Port::new("assignment", Kind::File, "The best sides: a line a vertex, `1` or `-1`."))
            .output(Port::new("figures", Kind::Figure, "Cuts by epoch and by run, amplitudes."))
    }

    fn run(&self, params: EvaluateParams, context: &Context) -> Result<()> {
        let found = Found::read(&params, context)?;
        if found.raw.is_empty() || found.rounded.is_empty() || found.annealed.is_empty() {
            return Err(Error::bad_input("there is nothing to compare: an input holds no cuts"));
        }
        let courses = found.courses()?;
        write_numbers(&found, &courses, context)?;
        let methods = Methods::of(&found, context)?;
        methods.write(context)?;
        write_findings(&found, &methods, context)?;
        write_resources(&found.training, context)?;
        write_figures(&found, &courses, context)?;
        let all = [&found.raw, &found.polished, &found.annealed, &found.rounded];
        if let Some(winner) =
            all.into_iter().filter_map(|list| best(list)).max_by(|a, b| a.cut().total_cmp(&b.cut()))
        {
            let text: String = winner.signs().iter().map(|sign| format!("{sign}\n")).collect();
            std::fs::write(context.output("assignment")?, text)?;
        }
        Ok(())
    }
}

fn write_numbers(found: &Found, courses: &[Vec<f64>], context: &Context) -> Result<()> {
    let raw = cuts(&found.raw);
    let last = mean(raw.iter().copied());
    let gw = cuts(&found.rounded);
    let annealing = largest(&cuts(&found.annealed));
    let bound = found.bound();
    let cost = context.input("states")?.cost;
    let resources = |name: &str| found.training.get("resources").and_then(|r| r.get(name)).cloned();
    let yardsticks = [
        ("gw_best", "GW, best of hyperplanes", Some(largest(&gw))),
        ("sdp_bound", "SDP bound", Some(bound)),
        ("best_known", "best published", found.known),
        ("annealing", "annealing", Some(annealing)),
    ];
    let ratios = yardsticks.map(|(key, _, value)| (format!("ratio_{key}"), json!(ratio(last, value))));
    let mut metrics = json!({
        "n": found.graph.vertices(),
        "m": found.graph.edges().len(),
        "cut_last_mean": last,
        "cut_last_max": largest(&raw),
        "cut_best_epoch_mean": mean(courses.iter().map(|course| largest(course))),
        "cut_polished_max": best(&found.polished).map(Assignment::cut),
        "sdp_bound": bound,
        "sdp_residual": found.bound.get("sdp_residual"),
        "gw_mean": mean(gw.iter().copied()),
        "gw_best": largest(&gw),
        "annealing_best": annealing,
        "best_known": found.known,
        "seeds": raw.len(),
        "qubits": resources("qubits"),
        "layers": resources("layers"),
        "angles": resources("angles"),
        "circuits_per_epoch": resources("circuits_per_epoch"),
        "pauli_strings": resources("pauli_strings"),
        "cpu_s_per_seed": cost.map(|cost| cost.cpu_s / raw.len() as f64),
    });
    if let Value::Object(members) = &mut metrics {
        members.extend(ratios.iter().cloned());
    }
    write_metrics(context.output("metrics")?, &metrics)?;

    // A yardstick that there is none of has no row.
    let there: Vec<(&str, f64)> = yardsticks
        .iter()
        .filter_map(|(_, name, value)| Some((*name, value.filter(|v| v.is_finite())?)))
        .collect();
    let over =
        |cut: f64| there.iter().map(|(_, v)| ratio(cut, Some(*v)).unwrap_or(f64::NAN)).collect::<Vec<f64>>();
    Table::new()
        .with("yardstick", there.iter().map(|(name, _)| *name).collect::<Vec<_>>())
        .with("value", there.iter().map(|(_, value)| *value).collect::<Vec<f64>>())
        .with("ratio_mean", over(last))
        .with("ratio_best", over(largest(&raw)))
        .write(context.output("ratios")?)?;
    let said = |value: f64, of: &str| ratio(last, Some(value)).map(|r| format!("{r:.3} of {of}"));
    let parts = [(largest(&gw), "the best hyperplane cut"), (bound, "the bound"), (annealing, "annealing")];
    let parts: Vec<String> = parts.into_iter().filter_map(|(value, of)| said(value, of)).collect();
    let parts = if parts.is_empty() { "there is nothing to cut".to_owned() } else { parts.join(", ") };
    context.note(format!("{last:.1} on average: {parts}"));
    Ok(())
}

/// The methods that are compared.
struct Methods {
    circuit: Method,
    polished: Method,
    direct: Option<Method>,
    annealing: Method,
    rounded: Method,
}

impl Methods {
    fn of(found: &Found, context: &Context) -> Result<Self> {
        let cpu = |port: &str, runs: usize| {
            let cost = context.optional_input(port).and_then(|input| input.cost);
            cost.map_or(f64::NAN, |cost| cost.cpu_s / runs.max(1) as f64)
        };
        let method = |name, list: &[Assignment], cpu| {
            let cuts = cuts(list);
            Method { name, mean: mean(cuts.iter().copied()), best: largest(&cuts), cpu }
        };
        let direct = context.optional_input("direct").map(|direct| {
            let numbers = read_metrics(&direct.path)?;
            let of = |name| numbers.get(name).and_then(number).unwrap_or(f64::NAN);
            let runs = numbers.get("seeds").and_then(Value::as_u64).unwrap_or(1) as usize;
            let name = "the same loss without a circuit";
            let (mean, best) = (of("cut_last_mean"), of("cut_last_max"));
            Ok::<_, Error>(Method { name, mean, best, cpu: cpu("direct", runs) })
        });
        Ok(Self {
            circuit: method("circuit, last epoch", &found.raw, cpu("states", found.raw.len())),
            polished: method("the same, polished", &found.polished, cpu("polished", found.polished.len())),
            direct: direct.transpose()?,
            annealing: method("annealing", &found.annealed, cpu("annealed", found.annealed.len())),
            // Hyperplanes cost next to nothing once there are vectors.
            rounded: method("SDP and hyperplanes", &found.rounded, cpu("bound", 1)),
        })
    }

    fn write(&self, context: &Context) -> Result<()> {
        let all = [Some(&self.circuit), Some(&self.polished), self.direct.as_ref()];
        let all = all.into_iter().chain([Some(&self.annealing), Some(&self.rounded)]);
        let methods: Vec<&Method> = all.flatten().collect();
        let column = |of: fn(&Method) -> f64| methods.iter().map(|method| of(method)).collect::<Vec<f64>>();
        let table = Table::new()
            .with("method", methods.iter().map(|m| m.name).collect::<Vec<_>>())
            .with("cut_mean", column(|m| m.mean))
            .with("cut_best", column(|m| m.best))
            .with("cpu_s_per_run", column(|m| m.cpu));
        Ok(table.write(context.output("methods")?)?)
    }
}

fn write_findings(found: &Found, methods: &Methods, context: &Context) -> Result<()> {
    let compared = Compared {
        starts: found.raw.len(),
        circuit: &methods.circuit,
        annealing: &methods.annealing,
        direct: methods.direct.as_ref(),
        hyperplanes: methods.rounded.best,
        bound: found.bound(),
        known: found.known,
    };
    let resources = found.training.get("resources").and_then(Value::as_object);
    let said = findings(&compared, resources);
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    Ok(Table::new().with("what this shows", said).write(context.output("findings")?)?)
}

fn write_resources(training: &Map<String, Value>, context: &Context) -> Result<()> {
    const MEANINGS: [(&str, &str); 13] = [
        ("qubits", "qubits that hold the vertices"),
        ("ancillas", "qubits of the Hadamard test"),
        ("layers", "layers of rotations"),
        ("angles", "angles to train"),
        ("depth", "depth of the circuit that prepares the state"),
        ("two_qubit_gates", "gates on two qubits in it"),
        ("pauli_strings", "strings of Z in the constraints, all from one basis"),
        ("circuits_per_epoch", "circuits for a gradient by moved angles"),
        ("shots_per_circuit", "shots of each, for an error of a hundredth of the objective's range"),
        ("shots_per_epoch", "shots for a gradient"),
        ("pauli_terms", "Pauli strings that W is a sum of"),
        ("trotter_gates", "gates on two qubits of one controlled Trotter step of exp(iαW)"),
        ("signal", "signal left at an error of 0.001 a gate on two qubits, ansatz alone"),
    ];
    let value = |name: &str| training.get("resources").and_then(|r| r.get(name)).and_then(number);
    // What is not counted for many qubits has no row.
    let counted: Vec<(&str, f64)> =
        MEANINGS.iter().filter_map(|(name, meaning)| Some((*meaning, value(name)?))).collect();
    let table = Table::new()
        .with("what", counted.iter().map(|(meaning, _)| *meaning).collect::<Vec<_>>())
        .with("count", counted.iter().map(|(_, count)| *count).collect::<Vec<f64>>());
    Ok(table.write(context.output("resources")?)?)
}

fn write_figures(found: &Found, courses: &[Vec<f64>], context: &Context) -> Result<()> {
    let mut writer = FigureWriter::create(context.output("figures")?)?;
    let epochs = courses.first().map_or(0, Vec::len);
    let at = |epoch: usize| courses.iter().map(|c| c[epoch]).filter(|c| !c.is_nan()).collect::<Vec<f64>>();
    let known: Vec<(f64, Vec<f64>)> =
        (0..epochs).map(|e| (e as f64, at(e))).filter(|(_, cuts)| !cuts.is_empty()).collect();
    let low = |cuts: &[f64]| cuts.iter().copied().fold(f64::INFINITY, f64::min);
    let (gw, annealing) = (largest(&cuts(&found.rounded)), largest(&cuts(&found.annealed)));
    let mut chart = LineChart::new("Cut of the amplitudes' signs")
        .x_axis("epoch", Scale::Linear)
        .y_axis("cut", Scale::Linear)
        .series(
            Series::new("mean of the runs", known.iter().map(|(e, cuts)| (*e, mean(cuts.iter().copied()))))
                .band(known.iter().map(|(e, cuts)| (*e, low(cuts), largest(cuts)))),
        );
    let end = epochs.saturating_sub(1) as f64;
    let yardsticks = [
        ("GW, best of hyperplanes", Some(gw)),
        ("annealing", Some(annealing)),
        ("SDP bound", Some(found.bound())),
        ("best published", found.known),
    ];
    // Lines of their own colours: levels all look alike.
    for (name, value) in yardsticks {
        if let Some(value) = value {
            chart = chart.series(Series::new(name, [(0.0, value), (end, value)]).dashed());
        }
    }
    let figure = chart.render();
    writer.add(
        "epochs",
        "Cuts by epoch: mean, smallest and largest of the runs.",
        &figure.svg,
        &figure.png,
    )?;

    let figure = Boxes::new("Cuts by method")
        .y_axis("cut", Scale::Linear)
        .sample("hyperplanes", cuts(&found.rounded))
        .sample("circuit", cuts(&found.raw))
        .sample("polished", cuts(&found.polished))
        .sample("annealing", cuts(&found.annealed))
        .render();
    writer.add("methods", "How cuts are distributed over runs and hyperplanes.", &figure.svg, &figure.png)?;

    let (size, vertices) = (found.states.dim("state").unwrap_or(0), found.graph.vertices());
    let amplitudes = found.states.read::<f64>("amplitude")?;
    let scale = (vertices as f64).sqrt();
    let bins =
        histogram(amplitudes.chunks_exact(size.max(1)).flat_map(|row| &row[..vertices]).map(|a| a * scale));
    let figure = LineChart::new("Amplitudes at the end")
        .x_axis("amplitude × √N (1 and -1 where the constraint is met)", Scale::Linear)
        .y_axis("share of vertices", Scale::Linear)
        .series(Series::new("", bins))
        .render();
    writer.add("amplitudes", "Histogram of the vertices' amplitudes, all runs.", &figure.svg, &figure.png)?;
    writer.finish()?;
    Ok(())
}

/// Shares of values in bins of 0.05 between -2.5 and 2.5, as the outline of a histogram.
fn histogram(values: impl Iterator<Item = f64>) -> Vec<(f64, f64)> {
    const BINS: usize = 100;
    let mut counts = [0_usize; BINS];
    let mut all = 0_usize;
    for value in values {
        all += 1;
        let bin = ((value + 2.5) * 20.0).clamp(0.0, (BINS - 1) as f64);
        counts[bin as usize] += 1;
    }
    let share = |count: usize| count as f64 / all.max(1) as f64;
    let edge = |bin: usize| bin as f64 / 20.0 - 2.5;
    counts
        .iter()
        .enumerate()
        .flat_map(|(bin, &c)| [(edge(bin), share(c)), (edge(bin + 1), share(c))])
        .collect()
}
