//! `quantum/sdp`: the semidefinite relaxation of MaxCut, with a certificate.

use std::ops::ControlFlow;

use faer::Side;
use flow_plugin::artifact::metrics::write_metrics;
use flow_plugin::artifact::{DatasetWriter, Variable};
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::serde_json::json;
use flow_plugin::{Context, Error, Kind, Operation, Port, Result, Spec};

use super::data::{graph, graph_port};
use crate::graph::Graph;
use crate::sdp::{Certificate, Certifier, LowRank, Progress, max_cut};

/// Solves the relaxation.
pub(crate) struct Sdp;

/// How the relaxation is solved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", rename_all = "snake_case")]
enum Method {
    /// Low-rank factors: any size.
    #[default]
    LowRank,
    /// An interior-point method on dense matrices: exact, up to some 2,000 vertices.
    InteriorPoint,
}

/// Parameters of `quantum/sdp`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct SdpParams {
    /// How the relaxation is solved.
    #[serde(default)]
    method: Method,
    /// The largest difference of bound and relaxed cut, relative to the latter.
    #[serde(default = "tolerance")]
    #[schemars(range(min = 1e-9, max = 0.1))]
    tolerance: f64,
    /// Columns of the factors at the start; by the number of vertices if left out.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1000))]
    rank: Option<usize>,
    /// The seed of the start.
    #[serde(default)]
    seed: u64,
}

fn tolerance() -> f64 {
    1e-6
}

const DOC: &str = "\
The relaxation of Goemans and Williamson: a unit vector for each vertex, so that `½ Σ w_ij (1 - v_i·v_j)` is as large \
as can be. Its value is above every cut.

`low_rank` keeps few numbers a vertex: sweeps over the vectors, then Newton's method. What it reaches is not taken on \
trust: the dual variables give a bound once `Diag(y) + W` is positive semidefinite, and that is proved by a sparse \
Cholesky factorisation with a bound on its rounding. `sdp_bound` is above the maximum cut, in floating point too; \
`sdp_residual` is how far it is above the vectors' own value, relative. Without a proof within the tolerance the \
operation fails.

`interior_point` is the method of Helmberg, Rendl, Vanderbei and Wolkowicz, as an exact reference.";

pub(super) struct Relaxed {
    vectors: Vec<f64>,
    rank: usize,
    cut: f64,
    certificate: Certificate,
    gap: f64,
    effort: usize,
}

/// The most vertices for dense matrices: ten of them are held.
const DENSE: usize = 4000;

fn interior_point(
    graph: &Graph,
    tolerance: f64,
    each: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Relaxed> {
    let n = graph.vertices();
    if n > DENSE {
        return Err(Error::bad_input(format!(
            "the interior-point method holds dense matrices of {n} × {n}; the most is {DENSE}"
        ))
        .hint("use `method: low_rank`"));
    }
    let half = 0.5 * graph.total_weight();
    let scale = graph.edges().iter().map(|edge| edge.weight.abs()).sum::<f64>();
    let solution = max_cut(graph).solve(0.01 * tolerance, each)?;
    let cut = half - 0.25 * solution.primal;
    // X = V Vᵀ.
    let decomposed = solution
        .x
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| Error::failed("the eigenvalues of the solution do not converge"))?;
    let (u, s) = (decomposed.U(), decomposed.S());
    let kept: Vec<usize> = (0..n).filter(|&k| s[k] > 1e-10 * s[n - 1]).collect();
    let row = |i: usize| kept.iter().map(move |&k| u[(i, k)] * s[k].sqrt());
    let vectors = (0..n).flat_map(row).collect();
    let y: Vec<f64> = solution.y.iter().map(|y| -y).collect();
    let mut certifier = Certifier::new(graph).map_err(Error::failed)?;
    let shifts = (0..12).map(|k| 1e-12 * 10_f64.powi(k) * scale.max(1.0) / n as f64);
    let certificate = shifts
        .filter_map(|shift| certifier.prove(&y, shift))
        .next()
        .ok_or_else(|| Error::failed("the dual solution cannot be proved feasible"))?;
    let gap = (certificate.bound - cut) / cut.abs().max(1e-3 * scale).max(f64::MIN_POSITIVE);
    Ok(Relaxed { vectors, rank: kept.len(), cut, certificate, gap, effort: solution.steps })
}

impl Operation for Sdp {
    type Params = SdpParams;

    fn spec(&self) -> Spec {
        let solution = Port::new("solution", Kind::Dataset, "A vector for each vertex.")
            .of_type("quantum/vectors@1")
            .variable("vector", "f64", ["vertex", "component"], "1");
        let metrics = "`sdp_bound`: no cut is larger; `sdp_cut`: the value of the vectors; `sdp_residual`: how far \
                       the bound is above it, relative; `sdp_shift`, `sdp_rank`, `sdp_products`.";
        Spec::new("sdp", 2, "Solves the semidefinite relaxation of MaxCut and proves the bound.")
            .doc(DOC)
            .tolerance(1e-5)
            .input(graph_port("graph"))
            .output(solution)
            .output(Port::new("metrics", Kind::Metrics, metrics))
    }

    fn run(&self, params: SdpParams, context: &Context) -> Result<()> {
        let graph = graph(context)?;
        let each = &mut |progress: Progress| {
            context.metric("gradient", progress.step as u64, progress.gradient);
            let message = format!("relaxed cut {:.3}", progress.cut);
            context.progress(progress.step as u64, progress.step as u64 + 1, "steps", &message);
            if context.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let relaxed = match params.method {
            Method::LowRank => {
                let solver = LowRank { tolerance: params.tolerance, rank: params.rank, seed: params.seed };
                solver
                    .solve(&graph, each)
                    .map(|s| Relaxed {
                        vectors: s.vectors,
                        rank: s.rank,
                        cut: s.cut,
                        certificate: s.certificate,
                        gap: s.gap,
                        effort: s.products,
                    })
                    .map_err(Error::from)
            }
            Method::InteriorPoint => interior_point(&graph, params.tolerance, each),
        };
        context.check_cancelled()?;
        let relaxed = relaxed?;
        context.note(format!(
            "no cut is above {:.4}; the relaxed cut is {:.1e} below (relative)",
            relaxed.certificate.bound, relaxed.gap
        ));
        let shape = [graph.vertices(), relaxed.rank];
        let mut writer = DatasetWriter::create(context.output("solution")?)?;
        let vector =
            Variable::new::<f64>("vector", &["vertex", "component"], &shape, "1", "vector of the vertex");
        writer.write(&vector, &relaxed.vectors)?;
        writer.finish()?;
        let metrics = json!({
            "sdp_bound": relaxed.certificate.bound,
            "sdp_cut": relaxed.cut,
            "sdp_residual": relaxed.gap,
            "sdp_shift": relaxed.certificate.shift,
            "sdp_rank": relaxed.rank,
            "sdp_products": relaxed.effort,
        });
        Ok(write_metrics(context.output("metrics")?, &metrics)?)
    }
}
