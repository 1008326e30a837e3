//! `quantum/program`: small semidefinite programs of any kind.

use std::ops::ControlFlow;
use std::path::PathBuf;

use faer::{Mat, Side};
use flow_plugin::artifact::metrics::write_metrics;
use flow_plugin::artifact::{DatasetWriter, Variable};
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::serde_json::json;
use flow_plugin::{Context, Error, Kind, Operation, Port, Result, Spec};

use crate::sdp::{Program, ProgramError, ProgramSolution, Progress, sdpa};

/// Solves programs.
pub(crate) struct ProgramOperation;

/// Which way the objective goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", rename_all = "snake_case")]
enum Sense {
    /// As large as can be: what SDPA means by a file.
    #[default]
    Maximize,
    /// As small as can be.
    Minimize,
}

/// Parameters of `quantum/program`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct ProgramParams {
    /// A file in the sparse form of SDPA, instead of the input.
    #[serde(default)]
    #[schemars(with = "Option<String>", extend("format" = "path"))]
    file: Option<String>,
    /// Whether `⟨F_0, X⟩` is to be large or small.
    #[serde(default)]
    sense: Sense,
    /// The largest difference of the primal and the dual value, relative to them.
    #[serde(default = "tolerance")]
    #[schemars(range(min = 1e-10, max = 0.1))]
    tolerance: f64,
}

fn tolerance() -> f64 {
    1e-8
}

const DOC: &str = "\
`⟨F_0, X⟩` as large as can be, with `⟨F_k, X⟩ = c_k` for every k and `X` symmetric without negative eigenvalues, for small \
dense problems: an interior-point method (Helmberg, Rendl, Vanderbei and Wolkowicz).

The program is a file in the sparse form of SDPA, which SDPLIB and most solvers share (`.dat-s`, compressed by gzip or \
not). `sense: minimize` makes `⟨F_0, X⟩` small instead. A Lovász number, the smallest eigenvalue of a matrix, the \
relaxation of any quadratic problem are such programs:

```
2                 * constraints
1                 * blocks of X
3                 * their sizes; negative for diagonal ones
1.0 0.0           * the numbers c
0 1 1 2 1.0       * matrix, block, row, column, value: F_0 has 1 at (1, 2) and (2, 1)
1 1 1 1 1.0       * F_1 = identity: the trace of X is 1
1 1 2 2 1.0
1 1 3 3 1.0
2 1 1 3 1.0       * F_2: X_13 is 0
```

`bound` is the dual value, on the other side of the optimum than `value`. It is one as far as `dual_eigenvalue`, the \
smallest of the dual's matrix, is not negative; it is not certified as that of `quantum/sdp` is.";

/// The most additions a step may take: some minutes.
const WORK: f64 = 1e11;

fn text(params: &ProgramParams, context: &Context) -> Result<PathBuf> {
    match (&params.file, context.optional_input("program")) {
        (Some(path), None) => Ok(path.into()),
        (None, Some(input)) => Ok(input.path.clone()),
        _ => Err(Error::bad_input("give either `file` or the input `program`")),
    }
}

/// What a step costs: dense matrices of the size of X and of the number of constraints, and every pair of entries.
fn work(program: &Program) -> f64 {
    let entries: usize = program.constraints.iter().map(|(a, _)| 2 * a.len()).sum();
    (program.size as f64).powi(3) + (program.constraints.len() as f64).powi(3) + (entries as f64).powi(2)
}

/// The smallest eigenvalue of `C - Σ y_k A_k`.
fn dual_eigenvalue(program: &Program, y: &[f64]) -> Result<f64> {
    let mut matrix = Mat::<f64>::zeros(program.size, program.size);
    let lists = program.constraints.iter().zip(y).map(|((a, _), y)| (a, -y));
    for (list, factor) in std::iter::once((&program.objective, 1.0)).chain(lists) {
        for &(i, j, value) in list {
            matrix[(i, j)] += factor * value;
        }
    }
    let values = matrix
        .self_adjoint_eigenvalues(Side::Lower)
        .map_err(|_| Error::failed("the eigenvalues of the dual matrix do not converge"))?;
    Ok(values[0])
}

impl Operation for ProgramOperation {
    type Params = ProgramParams;

    fn spec(&self) -> Spec {
        let program = Port::new("program", Kind::File, "The program in the sparse form of SDPA.").optional();
        let solution =
            Port::new("solution", Kind::Dataset, "The matrix X, and a dual variable for each constraint.")
                .variable("x", "f64", ["row", "column"], "1")
                .variable("y", "f64", ["constraint"], "1");
        let metrics = "`value`: ⟨F_0, X⟩; `bound`: the dual value; `gap`: their difference, relative; `residual`: the \
                       largest error of a constraint; `dual_eigenvalue`; `rows`, `constraints`, `steps`.";
        Spec::new("program", 1, "Solves a small semidefinite program from a file.")
            .doc(DOC)
            .tolerance(1e-5)
            .input(program)
            .output(solution)
            .output(Port::new("metrics", Kind::Metrics, metrics))
    }

    fn run(&self, params: ProgramParams, context: &Context) -> Result<()> {
        let path = text(&params, context)?;
        let stated = crate::text::read(&path).and_then(|text| sdpa::parse(&text));
        let mut program = stated
            .map_err(|error| {
                Error::bad_input(format!("`{}` is not a semidefinite program: {error}", path.display())).hint(
                    "expected is the sparse form of SDPA; `flow plugins quantum/program` shows an example",
                )
            })?
            .program;
        let work = work(&program);
        if work > WORK {
            return Err(Error::bad_input(format!(
                "the program is too large for dense matrices: {} rows, {} constraints, {work:.0e} operations a step",
                program.size,
                program.constraints.len()
            ))
            .hint("for the relaxation of MaxCut on large graphs use `quantum/sdp`"));
        }
        // The solver makes ⟨C, X⟩ small.
        let sign = if params.sense == Sense::Maximize { -1.0 } else { 1.0 };
        program.objective.iter_mut().for_each(|entry| entry.2 *= sign);
        let solved = program.solve(params.tolerance, &mut |progress: Progress| {
            context.metric("gap", progress.step as u64, progress.gradient);
            let message = format!("value {:.6}, relative gap {:.1e}", sign * progress.cut, progress.gradient);
            // How many steps it takes is not known beforehand; how many digits is.
            let digits = |gap: f64| -libm::log10(gap).min(0.0);
            let wanted = digits(params.tolerance).ceil();
            let reached = digits(progress.gradient).floor().min(wanted);
            context.progress(reached as u64, wanted as u64, "digits", &message);
            if context.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        context.check_cancelled()?;
        let solution = solved.map_err(|error| match error {
            ProgramError::Bad(_) | ProgramError::Stuck { .. } => {
                Error::bad_input(format!("`{}`: {error}", path.display()))
            }
            ProgramError::Stopped => Error::cancelled(),
        })?;
        write(&program, &solution, sign, context)
    }
}

fn write(program: &Program, solution: &ProgramSolution, sign: f64, context: &Context) -> Result<()> {
    let (value, bound) = (sign * solution.primal, sign * solution.dual);
    let gap = (value - bound).abs() / (1.0 + value.abs());
    context.note(format!(
        "{value:.8} after {} steps; the dual value is {gap:.1e} away (relative), constraints hold to {:.1e}",
        solution.steps, solution.residual
    ));
    let size = program.size;
    let entries: Vec<f64> =
        (0..size).flat_map(|i| (0..size).map(move |j| (i, j))).map(|at| solution.x[at]).collect();
    let duals: Vec<f64> = solution.y.iter().map(|y| sign * y).collect();
    let mut writer = DatasetWriter::create(context.output("solution")?)?;
    let x = Variable::new::<f64>("x", &["row", "column"], &[size, size], "1", "the matrix X");
    writer.write(&x, &entries)?;
    let y = Variable::new::<f64>("y", &["constraint"], &[duals.len()], "1", "dual variable");
    writer.write(&y, &duals)?;
    writer.finish()?;
    let metrics = json!({
        "value": value,
        "bound": bound,
        "gap": gap,
        "residual": solution.residual,
        "dual_eigenvalue": dual_eigenvalue(program, &solution.y)?,
        "rows": size,
        "constraints": program.constraints.len(),
        "steps": solution.steps,
    });
    Ok(write_metrics(context.output("metrics")?, &metrics)?)
}
