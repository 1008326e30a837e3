//! `ccs/evaluate`: how good the predictions are.

mod figures;
mod inputs;
mod report;
mod score;

use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::{Context, Error, Kind, Operation, Port, Result, Spec};

use self::inputs::Inputs;
use crate::data::{Reservoirs, Solutions};

/// Evaluates predictions.
pub(crate) struct Evaluate;

/// Parameters of `ccs/evaluate`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct EvaluateParams {}

const DOC: &str = "\
Scores predictions of gas saturation S and pressure build-up dP on the test samples (`split` 2), which nothing else \
may have seen. Saturations are first clipped to [0, 1 - S_wi], pressures multiplied by `pressure_scale`. All sums \
and means are over active cells and all report times, each cell and time counting the same.

| measure | definition |
| --- | --- |
| `saturation_r2` | 1 - Σ(S - Ŝ)² / Σ(S - S̄)², all test cases pooled |
| `saturation_plume_mpe` | mean of abs(S - Ŝ) where S or Ŝ exceeds 0.01; mean over cases |
| `saturation_nonzero_mpe` | mean of abs(S - Ŝ) where both exceed 0 (as published with U-FNO); mean over cases |
| `saturation_relative_l2` | norm(S - Ŝ) / norm(S); mean over cases |
| `saturation_radius_error` | relative error of the plume's radius at the last time, where the rings with S > 0.01 that follow on the well's end; median over cases |
| `saturation_mass_error` | relative error of the gas volume within the plume's radius at the last time; median over cases |
| `saturation_stray_gas` | predicted gas beyond the plume's radius over the true gas in it, at the last time; median over cases |
| `pressure_mre` | mean of abs(dP - dP̂) / max abs(dP); mean over cases |
| `pressure_relative_l2` | norm(dP - dP̂) / norm(dP); mean over cases |
| `pressure_peak_error` | relative error of the largest dP; mean over cases |

The surrogate's numbers are means over seeds, with half their range beside them; the mean of the seeds' predictions \
is scored as well. Two predictors that need no network are printed beside: the mean of the training cases, and the \
nearest training case (by scalars and rock statistics, each in standard deviations), its pressure rescaled by q/(k h).

`cases` has one row a test case, the worst first.";

impl Operation for Evaluate {
    type Params = EvaluateParams;

    fn spec(&self) -> Spec {
        let encoded = Port::new("encoded", Kind::Dataset, "The samples on which the surrogate was trained.")
            .of_type("operators/samples@1");
        let predictions = Port::new(
            "predictions",
            Kind::Dataset,
            "Predictions of `saturation` and `pressure`, told apart by the matrix axis `target`, for one or more seeds.",
        );
        Spec::new("evaluate", 4, "Scores predictions of saturation and pressure on unseen reservoirs.")
            .doc(DOC)
            .tolerance(1e-3)
            .input(Reservoirs::port("reservoirs", "The reservoirs."))
            .input(Solutions::port("solutions", "The truth."))
            .input(encoded)
            .input(predictions.many().variable("prediction", "f32", ["sample", "time", "z", "r"], "1"))
            .output(Port::new("metrics", Kind::Metrics, "All scores."))
            .output(Port::new("scores", Kind::Table, "Scores by predictor."))
            .output(Port::new("cases", Kind::Table, "Scores by test case, the worst first."))
            .output(Port::new(
                "figures",
                Kind::Figure,
                "Maps of typical and bad cases; distributions of errors.",
            ))
    }

    fn run(&self, _: EvaluateParams, context: &Context) -> Result<()> {
        if context.inputs("predictions").is_empty() {
            return Err(Error::bad_input("there is nothing to evaluate: no predictions"));
        }
        let inputs = Inputs::open(context)?;
        let cases = score::score(&inputs, context)?;
        report::write(&inputs, &cases, context)?;
        figures::write(&inputs, &cases, context)
    }
}
