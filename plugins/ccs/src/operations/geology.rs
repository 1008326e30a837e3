//! `ccs/geology`: random reservoirs.

use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::{Context, Operation, ParamProblem, Result, Spec};
use rayon::prelude::*;

use crate::data::{Coordinates, Reservoirs, ReservoirsWriter};
use crate::geology::{Generator, Layout, Ranges};

/// Draws reservoirs.
pub(crate) struct Geology;

/// Parameters of `ccs/geology`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct GeologyParams {
    /// How many reservoirs.
    #[schemars(range(min = 1, max = 1_000_000))]
    samples: u32,
    /// Number of the first one: reservoirs do not depend on how many there are, so a second data set that starts
    /// where another ends extends it.
    #[serde(default)]
    #[schemars(range(max = 1_000_000_000))]
    first: u32,
    /// Another seed draws other reservoirs.
    #[serde(default)]
    seed: u64,
    /// The grid and the report times.
    #[serde(default)]
    grid: Layout,
    /// What is drawn from which range.
    #[serde(default)]
    ranges: Ranges,
}

const DOC: &str = "\
Each reservoir is a radially symmetric formation with one CO₂ injector on its axis. Its scalars (rate, pressure, \
temperature, thickness, perforation, capillary pressure, statistics of the permeability) are the coordinates of a \
point of an Owen-scrambled Sobol sequence, so that few reservoirs already cover the ranges evenly. Its fields \
are drawn by the spectral method on a fine periodic lattice at least twice as large as the formation.

* `kr = exp(mean_log_k + sd_log_k g)`, limited to 0.001 mD to 10 D; `g` of zero mean and unit variance
* `kz = kr / anisotropy`
* `porosity = 0.2 + 0.03 (log10 kr - 1.5) + N(0, 0.01)`, limited to 0.03 to 0.4

Reservoir `i` depends on the seed, `i`, the grid and the ranges only.";

impl Operation for Geology {
    type Params = GeologyParams;

    fn spec(&self) -> Spec {
        Spec::new("geology", 1, "Draws random reservoirs: permeability, porosity, fluids, injection.")
            .doc(DOC)
            .tolerance(1e-6)
            .output(Reservoirs::port("reservoirs", "The reservoirs."))
    }

    fn check(&self, params: &GeologyParams) -> Vec<ParamProblem> {
        let problem = |at: String, message| ParamProblem { at, message, hint: None };
        let ranges = params.ranges.problems().into_iter();
        let mut problems: Vec<_> =
            ranges.map(|(name, message)| problem(format!("ranges.{name}"), message)).collect();
        problems.extend(params.grid.problem().map(|message| problem("grid".into(), message)));
        if problems.is_empty() && params.ranges.thickness.high > params.grid.height * (1.0 + 1e-9) {
            let message = format!(
                "formations of up to {} m do not fit into a grid of {} m",
                params.ranges.thickness.high, params.grid.height
            );
            problems.push(problem("ranges.thickness".into(), message));
        }
        problems
    }

    fn run(&self, params: GeologyParams, context: &Context) -> Result<()> {
        /// Reservoirs drawn at once, in parallel, before they are written.
        const BATCH: u32 = 64;
        let coordinates = Coordinates::of(&params.grid);
        let generator = Generator::new(params.seed, params.ranges, params.grid);
        let mut writer = ReservoirsWriter::create(context.output("reservoirs")?, &coordinates)?;
        for start in (0..params.samples).step_by(BATCH as usize) {
            context.check_cancelled()?;
            let end = (start + BATCH).min(params.samples);
            let batch: Vec<_> =
                (start..end).into_par_iter().map(|i| generator.reservoir(params.first + i)).collect();
            for (i, reservoir) in (start..end).zip(&batch) {
                writer.append(i64::from(params.first + i), reservoir)?;
            }
            context.progress(u64::from(end), u64::from(params.samples), "reservoirs", "");
        }
        writer.finish()?;
        Ok(())
    }
}
