//! Operations run as the engine runs them, on small graphs.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flow_plugin::artifact::Dataset;
use flow_plugin::artifact::metrics::read_metrics;
use flow_plugin::artifact::table::{Column, Table};
use flow_plugin::protocol::Reply;
use flow_plugin::serde_json::{Value, json};
use flow_plugin::testing::{Fingerprint, Finished, Trial};
use flow_plugin::{ErrorKind, Kind};

use super::*;

const STORED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/operations/stored");

fn drawn(folder: &Path) -> Finished {
    let graph = json!({ "family": "torus_pm1", "rows": 5, "cols": 6, "seed": 2 });
    Trial::new(folder.join("graph")).params(json!({ "graph": graph })).run(&GraphOperation).unwrap()
}

fn on(folder: &Path, name: &str, graph: &Finished) -> Trial {
    Trial::new(folder.join(name)).input("graph", Kind::File, graph.output("graph"))
}

fn numbers(done: &Finished) -> flow_plugin::serde_json::Map<String, Value> {
    read_metrics(done.output("metrics")).unwrap()
}

/// The whole of the workflow, and what each operation computes beside what was stored with its version.
#[test]
fn from_graph_to_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let graph = drawn(folder);
    let sdp = on(folder, "sdp", &graph).run(&Sdp).unwrap();
    let rounded = on(folder, "round", &graph)
        .input("vectors", Kind::Dataset, sdp.output("solution"))
        .params(json!({ "samples": 20 }))
        .run(&Round)
        .unwrap();
    let params = json!({ "restarts": 2, "epochs": 30, "layers": 16, "precision": "f64" });
    let trained = on(folder, "htaac", &graph).params(params.clone()).run(&Htaac).unwrap();
    let direct = on(folder, "direct", &graph)
        .params(json!({ "restarts": 2, "epochs": 30, "ansatz": "none" }))
        .run(&Htaac)
        .unwrap();
    let signs = on(folder, "signs", &graph)
        .input("states", Kind::Dataset, trained.output("states"))
        .run(&Round)
        .unwrap();
    let polished = on(folder, "polish", &graph)
        .input("assignments", Kind::Dataset, signs.output("assignments"))
        .run(&Polish)
        .unwrap();
    let annealed = on(folder, "anneal", &graph).params(json!({ "sweeps": 100 })).run(&Anneal).unwrap();
    let done = on(folder, "evaluate", &graph)
        .input("states", Kind::Dataset, trained.output("states"))
        .input("training", Kind::Metrics, trained.output("metrics"))
        .input("bound", Kind::Metrics, sdp.output("metrics"))
        .input("rounded", Kind::Dataset, rounded.output("assignments"))
        .input("polished", Kind::Dataset, polished.output("assignments"))
        .input("annealed", Kind::Dataset, annealed.output("assignments"))
        .input("direct", Kind::Metrics, direct.output("metrics"))
        .run(&Evaluate)
        .unwrap();
    let found = numbers(&done);
    for name in [
        "n",
        "m",
        "cut_last_mean",
        "cut_last_max",
        "cut_best_epoch_mean",
        "cut_polished_max",
        "sdp_bound",
        "sdp_residual",
        "gw_mean",
        "gw_best",
        "annealing_best",
        "best_known",
        "ratio_gw_best",
        "ratio_sdp_bound",
        "ratio_best_known",
        "ratio_annealing",
        "seeds",
        "qubits",
        "layers",
        "angles",
        "circuits_per_epoch",
        "pauli_strings",
        "cpu_s_per_seed",
    ] {
        assert!(found.contains_key(name), "{name}");
    }
    let of = |name: &str| found[name].as_f64().unwrap();
    assert!(found["best_known"].is_null() && found["ratio_best_known"].is_null());
    assert!(of("cut_polished_max") >= of("cut_last_max"));
    assert!(of("sdp_bound") >= of("annealing_best") && of("annealing_best") >= of("gw_best"));
    assert_eq!((of("qubits"), of("layers"), of("angles")), (5.0, 16.0, 80.0));
    // Nobody has published a cut of this graph: there is no row for one.
    let ratios = Table::read(done.output("ratios")).unwrap();
    let Some(Column::Float(values)) = ratios.column("ratio_mean") else { panic!("{ratios:?}") };
    assert!(values.len() == 3 && values.iter().all(|ratio| ratio.is_finite()), "{ratios:?}");
    let findings = Table::read(done.output("findings")).unwrap();
    assert_eq!(findings.rows(), 4, "{findings:?}");
    // Anyone can recount the best cut.
    let sides = std::fs::read_to_string(done.output("assignment")).unwrap();
    let sides: Vec<i8> = sides.lines().map(|line| line.parse().unwrap()).collect();
    let graph_file = crate::graph::read(graph.output("graph"), crate::graph::Format::Gset).unwrap();
    assert_eq!(graph_file.cut(&sides), of("annealing_best").max(of("cut_polished_max")));

    let compare = |operation: &dyn Fn(&mut Fingerprint)| {
        let mut print = Fingerprint::default();
        operation(&mut print);
        print
    };
    compare(&|p| p.metrics(graph.output("statistics"))).compare(&GraphOperation, 1e-12, STORED);
    compare(&|p| p.metrics(sdp.output("metrics")))
        .forgetting(&["metrics.sdp_residual", "metrics.sdp_shift", "metrics.sdp_products"])
        .compare(&Sdp, 1e-5, STORED);
    compare(&|p| p.dataset(rounded.output("assignments"))).compare(&Round, 1e-9, STORED);
    compare(&|p| p.dataset(trained.output("states"))).compare(&Htaac, 1e-6, STORED);
    compare(&|p| p.dataset(polished.output("assignments"))).compare(&Polish, 1e-9, STORED);
    compare(&|p| p.dataset(annealed.output("assignments"))).compare(&Anneal, 1e-9, STORED);
    compare(&|p| p.metrics(done.output("metrics"))).compare(&Evaluate, 1e-5, STORED);
}

/// One vertex, no edges, several components, nothing but negative weights: the whole workflow gives the right answer.
#[test]
fn graphs_with_little_to_cut() {
    for (name, text, largest) in [
        ("one", "1 0\n", 0.0),
        ("none", "4 0\n", 0.0),
        ("negative", "3 2\n1 2 -1\n2 3 -2\n", 0.0),
        ("apart", "7 3\n1 2 1\n3 4 2.5\n5 6 1\n", 4.5),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let file = folder.join("graph.txt");
        std::fs::write(&file, text).unwrap();
        let params = json!({ "graph": file.to_str().unwrap() });
        let graph = Trial::new(folder.join("graph")).params(params).run(&GraphOperation).unwrap();
        let sdp = on(folder, "sdp", &graph).run(&Sdp).unwrap();
        let exact =
            on(folder, "exact", &graph).params(json!({ "method": "interior_point" })).run(&Sdp).unwrap();
        let round = on(folder, "round", &graph).input("vectors", Kind::Dataset, sdp.output("solution"));
        let round = round.run(&Round).unwrap();
        let params = json!({ "restarts": 2, "epochs": 100, "layers": 20 });
        let trained = on(folder, "htaac", &graph).params(params).run(&Htaac).unwrap();
        assert!(amplitudes(&trained).iter().all(|a| a.is_finite()), "{name}");
        let signs = on(folder, "signs", &graph).input("states", Kind::Dataset, trained.output("states"));
        let signs = signs.run(&Round).unwrap();
        let polish = on(folder, "polish", &graph);
        let polish =
            polish.input("assignments", Kind::Dataset, signs.output("assignments")).run(&Polish).unwrap();
        let annealed = on(folder, "anneal", &graph).run(&Anneal).unwrap();
        let done = on(folder, "evaluate", &graph)
            .input("states", Kind::Dataset, trained.output("states"))
            .input("training", Kind::Metrics, trained.output("metrics"))
            .input("bound", Kind::Metrics, sdp.output("metrics"))
            .input("rounded", Kind::Dataset, round.output("assignments"))
            .input("polished", Kind::Dataset, polish.output("assignments"))
            .input("annealed", Kind::Dataset, annealed.output("assignments"))
            .run(&Evaluate)
            .unwrap();
        let found = numbers(&done);
        assert_eq!(found["annealing_best"], json!(largest), "{name}");
        assert_eq!(found["cut_polished_max"], json!(largest), "{name}");
        for (bound, method) in [(&found, "low rank"), (&numbers(&exact), "interior point")] {
            let bound = bound["sdp_bound"].as_f64().unwrap();
            assert!(bound >= largest && bound < largest + 1e-4, "{name} {method}: {bound}");
        }
    }
}

trait Forgetting {
    fn forgetting(self, names: &[&str]) -> Self;
}

impl Forgetting for Fingerprint {
    fn forgetting(mut self, names: &[&str]) -> Self {
        names.iter().for_each(|name| self.forget(name));
        self
    }
}

/// A run that is asked to stop leaves a checkpoint, and goes on from it to the same result.
#[test]
fn training_goes_on_from_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let graph = drawn(folder);
    let params = json!({ "restarts": 1, "epochs": 20, "layers": 10 });
    let whole = on(folder, "whole", &graph).params(params.clone()).run(&Htaac).unwrap();
    let stop = Arc::new(AtomicBool::new(true));
    let broken = || {
        on(folder, "broken", &graph)
            .params(params.clone())
            .checkpoints(folder.join("kept"))
            .cancelled_by(stop.clone())
    };
    assert_eq!(broken().run(&Htaac).err().unwrap().kind, ErrorKind::Cancelled);
    stop.store(false, Ordering::SeqCst);
    let resumed = broken().run(&Htaac).unwrap();
    let went_on = |reply: &Reply| matches!(reply, Reply::Log { message, .. } if message.contains("going on from epoch 1 "));
    assert!(resumed.replies.iter().any(went_on), "{:?}", resumed.replies);
    assert_eq!(amplitudes(&whole), amplitudes(&resumed));
}

#[test]
fn too_few_angles_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let graph = drawn(folder.path());
    let params = json!({ "restarts": 1, "epochs": 1, "layers": 3 });
    let done = on(folder.path(), "htaac", &graph).params(params).run(&Htaac).unwrap();
    let warned = |reply: &Reply| matches!(reply, Reply::Log { message, .. } if message.starts_with("15 angles cannot steer 32"));
    assert!(done.replies.iter().any(warned), "{:?}", done.replies);
}

#[test]
fn bad_requests_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let graph = drawn(folder);
    let fails = |name: &str, operation: &dyn Fn(Trial) -> flow_plugin::Result<Finished>| {
        operation(on(folder, name, &graph)).err().unwrap().to_string()
    };
    let message = fails("none", &|trial| trial.run(&Round));
    assert!(message.starts_with("connect either `vectors` or `states`"), "{message}");
    let shift = json!({ "gradient": "parameter_shift", "ansatz": "none" });
    let message = fails("shift", &|trial| trial.params(shift.clone()).run(&Htaac));
    assert!(message.contains("no angles to move"), "{message}");
    let refused = |name: &str, params: Value| fails(name, &|trial| trial.params(params.clone()).run(&Htaac));
    let message = refused("adjoint", json!({ "shots": 100, "gradient": "adjoint" }));
    assert!(message.contains("which no number of shots does"), "{message}");
    let message = refused("linear", json!({ "noise": { "readout": 0.1 }, "objective": "linear" }));
    assert!(message.contains("the linear form is computed, not measured"), "{message}");
    let message = refused("direct", json!({ "shots": 100, "ansatz": "none", "gradient": "spsa" }));
    assert!(message.contains("there is nothing to measure"), "{message}");
    let text = folder.join("bad");
    std::fs::write(&text, "3 1\n1 4 1\n").unwrap();
    let params = json!({ "graph": text.to_str().unwrap() });
    let error = Trial::new(folder.join("g")).params(params).run(&GraphOperation).err().unwrap();
    assert!(error.message.ends_with("line 2: vertex 4 is out of range: vertices are 1 to 3"), "{error}");
    let other = Trial::new(folder.join("o"))
        .params(json!({ "graph": { "family": "torus", "rows": 3, "cols": 3 } }))
        .run(&GraphOperation)
        .unwrap();
    let annealed = on(folder, "a", &other).run(&Anneal).unwrap();
    let message = fails("p", &|trial| {
        trial.input("assignments", Kind::Dataset, annealed.output("assignments")).run(&Polish)
    });
    assert!(message.contains("does not hold a side for each of the 30 vertices"), "{message}");
}

fn amplitudes(done: &Finished) -> Vec<f64> {
    Dataset::open(done.output("states")).unwrap().read::<f64>("amplitude").unwrap()
}

/// Several runs in one call are the runs of the seeds that follow, one by one.
#[test]
fn restarts_are_runs_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let graph = drawn(folder);
    let run = |name: &str, restarts: usize, seed: u64| {
        let params = json!({ "restarts": restarts, "seed": seed, "epochs": 15, "layers": 8 });
        amplitudes(&on(folder, name, &graph).params(params).run(&Htaac).unwrap())
    };
    let alone = [run("5", 1, 5), run("6", 1, 6), run("7", 1, 7)].concat();
    assert_eq!(run("together", 3, 5), alone);
}

/// Presets, precision, objectives, gradients and an early end, from parameters to results.
#[test]
fn options_reach_the_solver() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let graph = drawn(folder);
    let trained = |name: &str, more: Value| {
        let mut params = json!({ "restarts": 1, "epochs": 8, "layers": 6, "precision": "f64" });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        on(folder, name, &graph).params(params).run(&Htaac).unwrap()
    };
    let loss = |done: &Finished| numbers(done)["loss"].as_f64().unwrap();
    let default = trained("default", json!({}));
    // The same numbers by other ways, to rounding.
    for (name, more, within) in [
        ("f32", json!({ "precision": "f32" }), 1e-4),
        ("circuit", json!({ "objective": "hadamard_circuit" }), 1e-9),
        ("shift", json!({ "gradient": "parameter_shift" }), 1e-8),
        ("explicit", json!({ "loss": "collision", "weight": [0.015, 0.5], "rate": 0.02 }), 0.0),
    ] {
        let found = loss(&trained(name, more));
        assert!((found - loss(&default)).abs() <= within, "{name}: {found} {}", loss(&default));
    }
    // Others.
    for (name, more) in [
        ("linear", json!({ "objective": "linear" })),
        ("authors", json!({ "loss": "authors", "coefficient": 50.0, "regulariser": 3.0 })),
        ("spsa", json!({ "gradient": "spsa" })),
        ("alpha", json!({ "alpha": 0.05 })),
    ] {
        assert_ne!(loss(&trained(name, more)), loss(&default), "{name}");
    }
    let paper = numbers(&trained("paper", json!({ "preset": "paper", "layers": null })));
    assert_eq!(paper["alpha"], json!(0.01));
    assert_eq!(
        (&paper["resources"]["layers"], &paper["resources"]["pauli_strings"]),
        (&json!(240), &json!(15))
    );
    let early = trained("early", json!({ "epochs": 4000, "plateau": { "epochs": 20, "change": 0.001 } }));
    let epochs = numbers(&early)["epochs"].as_f64().unwrap();
    assert!(epochs > 20.0 && epochs < 4000.0, "{epochs}");
    let cuts = Dataset::open(early.output("states")).unwrap().read::<f64>("cut").unwrap();
    // After the end there are none.
    assert!(cuts.iter().enumerate().all(|(at, cut)| cut.is_nan() == (at as f64 > epochs)));
}

/// Shots for all terms or for each, and noise, from parameters to metrics: the published loss too.
#[test]
fn training_from_shots() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let graph = drawn(folder);
    let trained = |name: &str, more: Value| {
        let mut params = json!({ "restarts": 1, "epochs": 2, "layers": 7, "precision": "f64" });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        numbers(&on(folder, name, &graph).params(params).run(&Htaac).unwrap())
    };
    let exact = trained("exact", json!({}));
    assert!(exact["shots_spent"].is_null());
    // 35 angles: a value, and for the gradient one more and two an angle, of two circuits each; a value at the end.
    let shots = trained("shots", json!({ "shots": 50 }));
    assert_eq!(shots["shots_spent"].as_f64(), Some(f64::from((2 * (2 + 2 * 35) + 1) * 100)));
    assert_ne!(shots["loss"], exact["loss"]);
    let terms = json!({ "objective": 40, "constraints": 30 });
    let spsa = trained("terms", json!({ "shots": terms, "gradient": "spsa", "preset": "paper" }));
    assert_eq!(spsa["shots_spent"].as_f64(), Some(f64::from((2 * 3 + 1) * (40 + 30 + 40))));
    let noise = json!({ "depolarizing": 0.02, "damping": 0.01, "readout": 0.02 });
    let noisy = trained("noisy", json!({ "noise": noise }));
    // Noise evens probabilities out, padding too.
    assert!(noisy["padding"].as_f64() > exact["padding"].as_f64(), "{noisy:?}");
    assert!(noisy["spread"].as_f64() < exact["spread"].as_f64(), "{noisy:?}");
}

/// The same program from a file and from another stage, largest and smallest value.
#[test]
fn programs_are_solved() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Extreme eigenvalues of a path of three vertices: ±√2.
    let text = "* a path\n1\n1\n3\n1\n0 1 1 2 1\n0 1 2 3 1\n1 1 1 1 1\n1 1 2 2 1\n1 1 3 3 1\n";
    let file = folder.join("path.dat-s");
    std::fs::write(&file, text).unwrap();
    let trial = |name: &str| Trial::new(folder.join(name));
    let named = |more: Value| {
        let mut params = json!({ "file": file.to_str().unwrap() });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    let most = trial("most").params(named(json!({}))).run(&ProgramOperation).unwrap();
    let least = trial("least")
        .input("program", Kind::File, &file)
        .params(json!({ "sense": "minimize" }))
        .run(&ProgramOperation)
        .unwrap();
    let of = |done: &Finished, name: &str| numbers(done)[name].as_f64().unwrap();
    let root = 2.0_f64.sqrt();
    for (done, wanted) in [(&most, root), (&least, -root)] {
        assert!((of(done, "value") - wanted).abs() < 1e-7 && (of(done, "bound") - wanted).abs() < 1e-7);
        assert!(of(done, "dual_eigenvalue") > -1e-7 && of(done, "residual") < 1e-8);
    }
    let solution = Dataset::open(most.output("solution")).unwrap();
    let x = solution.read::<f64>("x").unwrap();
    // The eigenvector (1, √2, 1) / 2.
    assert!(
        (x[0] - 0.25).abs() < 1e-6 && (x[1] - 0.5 / root).abs() < 1e-6 && (x[8] - 0.25).abs() < 1e-6,
        "{x:?}"
    );
    assert!((solution.read::<f64>("y").unwrap()[0] - root).abs() < 1e-6);
    compare_program(&most);

    let refused = |name: &str, text: &str| {
        std::fs::write(&file, text).unwrap();
        trial(name).params(named(json!({}))).run(&ProgramOperation).err().unwrap().to_string()
    };
    let message = refused("bad", &text.replace("0 1 1 2 1", "0 1 1 4 1"));
    assert!(
        message.contains(
            "path.dat-s` is not a semidefinite program: line 6: the column `4` is out of range: 1 to 3"
        ),
        "{message}"
    );
    let message = refused("none", &text.replacen("3\n1\n", "3\n-1\n", 1));
    assert!(message.contains("the program may have no solution"), "{message}");
    let message = refused("large", "1\n1\n9000\n1\n1 1 1 1 1\n");
    assert!(message.contains("too large for dense matrices: 9000 rows"), "{message}");
    let message = trial("neither").run(&ProgramOperation).err().unwrap().to_string();
    assert!(message.starts_with("give either `file` or the input `program`"), "{message}");
}

fn compare_program(done: &Finished) {
    let mut print = Fingerprint::default();
    print.metrics(done.output("metrics"));
    for name in ["gap", "residual", "dual_eigenvalue"] {
        print.forget(&format!("metrics.{name}"));
    }
    print.compare(&ProgramOperation, 1e-5, STORED);
}

/// A trained circuit, written, read, measured: the counts are those of its probabilities.
#[test]
fn circuits_are_written_and_measured() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let graph = drawn(folder);
    let params = json!({ "restarts": 1, "epochs": 3, "layers": 8, "precision": "f64" });
    let trained = on(folder, "htaac", &graph).params(params).run(&Htaac).unwrap();
    let states = trained.output("states");
    let written = Trial::new(folder.join("c")).input("states", Kind::Dataset, states).run(&Circuit).unwrap();
    assert_eq!(numbers(&written)["gates"], json!(40 + 16));
    let text = std::fs::read_to_string(written.output("circuit")).unwrap();
    let gates = crate::circuit::qasm::read(&text).unwrap();
    let state = crate::circuit::Compiled::new(&gates).unwrap().run(&[]);
    let wanted = Dataset::open(states).unwrap().read::<f64>("amplitude").unwrap();
    for (found, wanted) in state.amplitudes.iter().zip(&wanted) {
        assert!((found.re - wanted).abs() < 1e-13 && found.im.abs() < 1e-13);
    }
    let sample = |name: &str, params: Value| {
        let done = Trial::new(folder.join(name))
            .input("circuit", Kind::File, written.output("circuit"))
            .params(params)
            .run(&Sample)
            .unwrap();
        Dataset::open(done.output("counts")).unwrap().read::<i64>("count").unwrap()
    };
    let clean = sample("clean", json!({ "shots": 20000 }));
    assert_eq!(clean.iter().sum::<i64>(), 20000);
    for (count, a) in clean.iter().zip(&wanted) {
        // Five standard deviations of a binomial count, and a little.
        let p = a * a;
        assert!((*count as f64 - 20000.0 * p).abs() < 5.0 * (20000.0 * p).sqrt() + 2.0);
    }
    let noisy = sample("noisy", json!({ "shots": 20000, "depolarizing": 0.2 }));
    let spread = |counts: &[i64]| counts.iter().map(|&c| (c as f64 / 20000.0).powi(2)).sum::<f64>();
    // Strong noise leaves nearly equal probabilities.
    assert!(spread(&noisy) < spread(&clean) && spread(&noisy) < 1.2 / 32.0, "{}", spread(&noisy));
    let test = Trial::new(folder.join("t"))
        .input("states", Kind::Dataset, states)
        .input("graph", Kind::File, graph.output("graph"))
        .params(json!({ "hadamard_test": true }))
        .run(&Circuit)
        .unwrap();
    assert_eq!(numbers(&test)["qubits"], json!(6));
    let resources = on(folder, "r", &graph).run(&ResourceCount).unwrap();
    assert_eq!(numbers(&resources)["layers"], json!(240));
}
