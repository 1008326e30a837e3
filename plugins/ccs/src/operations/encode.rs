//! `ccs/encode`: samples for neural operators.

use flow_plugin::artifact::{DatasetWriter, Stream, Variable};
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::{Context, Error, Kind, Operation, Port, Result, Spec};
use rayon::prelude::*;

use crate::data::{Coordinates, Reservoirs, Sample, Solutions};
use crate::encode::{CHANNELS, Encoded, encode};

/// Encodes reservoirs.
pub(crate) struct Encode;

/// Parameters of `ccs/encode`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct EncodeParams {
    /// How many samples are kept for testing: the first ones, so that they stay the same when more are drawn.
    #[serde(default)]
    test: usize,
    /// How many are kept for validation: those after the test samples. The others are for training.
    #[serde(default)]
    validation: usize,
}

const DOC: &str = "\
Turns reservoirs into the arrays that a neural operator is trained on: `x` (sample, channel, z, r), normalised, and \
where `solutions` are connected the targets `saturation` and `pressure`, the latter divided by each sample's \
`pressure_scale`.

Beside the reservoir's own fields and numbers, `x` holds the steady flow of one phase through it (potential, radial \
and vertical flux, time of flight), where a piston of CO₂ would stand at four times, and the time CO₂ needs to rise: \
physics that costs milliseconds and that the network then need not learn. The names of the channels are in the \
attribute `channels`.

`split` says what a sample is for: 0 training, 1 validation, 2 test. It depends on the order of the samples only.";

/// The port of encoded samples; targets where there are solutions.
fn port(targets: bool) -> Port {
    let field = ["sample", "time", "z", "r"];
    let port = Port::new("encoded", Kind::Dataset, "Samples for neural operators.")
        .of_type("operators/samples@1")
        .variable("sample", "i64", ["sample"], "1")
        .variable("split", "u8", ["sample"], "1")
        .variable("x", "f32", ["sample", "channel", "z", "r"], "1")
        .variable("mask", "u8", ["sample", "z", "r"], "1")
        .variable("pressure_scale", "f32", ["sample"], "bar");
    if targets {
        return port.variable("saturation", "f32", field, "1").variable("pressure", "f32", field, "1");
    }
    port
}

impl Operation for Encode {
    type Params = EncodeParams;

    fn spec(&self) -> Spec {
        Spec::new("encode", 2, "Turns reservoirs and their solutions into samples for neural operators.")
            .doc(DOC)
            .tolerance(1e-5)
            .input(Reservoirs::port("reservoirs", "The reservoirs."))
            .input(
                Solutions::port(
                    "solutions",
                    "Their solutions: the targets. Without them only inputs are made.",
                )
                .optional(),
            )
            .output(port(true))
    }

    fn outputs(&self, _: &EncodeParams, inputs: &[Port]) -> Vec<Port> {
        vec![port(inputs.iter().any(|input| input.name == "solutions"))]
    }

    fn run(&self, params: EncodeParams, context: &Context) -> Result<()> {
        /// Samples encoded at once, in parallel, before they are written.
        const BATCH: usize = 32;
        let reservoirs = Reservoirs::open(&context.input("reservoirs")?.path)?;
        let solutions =
            context.optional_input("solutions").map(|input| Solutions::open(&input.path)).transpose()?;
        let ids = solutions.as_ref().map_or(reservoirs.ids(), Solutions::ids).to_vec();
        if solutions.as_ref().is_some_and(|s| s.coordinates() != reservoirs.coordinates()) {
            return Err(Error::bad_input("the solutions are on another grid than the reservoirs"));
        }
        let kept = params.test + params.validation;
        if kept > 0 && kept >= ids.len() {
            return Err(Error::bad_input(format!(
                "{} test and {} validation samples leave none of {} for training",
                params.test,
                params.validation,
                ids.len()
            )));
        }
        let mut writer = Writer::create(context, reservoirs.coordinates(), solutions.is_some())?;
        for start in (0..ids.len()).step_by(BATCH) {
            context.check_cancelled()?;
            let end = (start + BATCH).min(ids.len());
            let batch =
                ids[start..end].par_iter().map(|id| one(&reservoirs, *id)).collect::<Result<Vec<_>>>()?;
            for (at, (sample, encoded)) in (start..end).zip(&batch) {
                writer.input(sample, encoded)?;
                if let Some(solutions) = &solutions {
                    writer.targets(
                        &solutions.saturation(at)?,
                        &solutions.buildup(at)?,
                        encoded.pressure_scale,
                    )?;
                }
            }
            context.progress(end as u64, ids.len() as u64, "samples", "");
        }
        let part = |at: usize| u8::from(at < kept) + u8::from(at < params.test);
        writer.finish(&ids, &(0..ids.len()).map(part).collect::<Vec<_>>())
    }
}

fn one(reservoirs: &Reservoirs, id: i64) -> Result<(Sample, Encoded)> {
    let at = reservoirs
        .position(id)
        .ok_or_else(|| Error::bad_input(format!("there is a solution but no reservoir of number {id}")))?;
    let sample = reservoirs.sample(at)?;
    let encoded = encode(reservoirs.coordinates(), &sample, reservoirs.salinity())
        .map_err(|error| Error::from(error).context(format!("reservoir {id} cannot be encoded")))?;
    Ok((sample, encoded))
}

/// The data set being written.
struct Writer {
    writer: DatasetWriter,
    x: Stream,
    mask: Stream,
    targets: Option<[Stream; 2]>,
    scales: Vec<f32>,
}

impl Writer {
    fn create(context: &Context, coordinates: &Coordinates, targets: bool) -> Result<Self> {
        let mut writer = DatasetWriter::create(context.output("encoded")?)?;
        coordinates.write(&mut writer)?;
        writer.attribute("channels", CHANNELS.map(String::from).to_vec());
        let (t, z, r) = (coordinates.time.len(), coordinates.rows(), coordinates.columns());
        let dims = ["sample", "channel", "z", "r"];
        let x =
            Variable::new::<f32>("x", &dims, &[0, CHANNELS.len(), z, r], "1", "Network input, normalised");
        let x = writer.stream::<f32>(&x)?;
        let mask = Variable::new::<u8>(
            "mask",
            &["sample", "z", "r"],
            &[0, z, r],
            "1",
            "Cell belongs to the formation",
        );
        let mask = writer.stream::<u8>(&mask)?;
        let mut target = |name, long_name| {
            let dims = ["sample", "time", "z", "r"];
            writer.stream::<f32>(&Variable::new::<f32>(name, &dims, &[0, t, z, r], "1", long_name))
        };
        let targets = if targets {
            let pressure = "Pressure build-up divided by the pressure scale";
            Some([target("saturation", "Gas saturation")?, target("pressure", pressure)?])
        } else {
            None
        };
        Ok(Self { writer, x, mask, targets, scales: Vec::new() })
    }

    fn input(&mut self, sample: &Sample, encoded: &Encoded) -> Result<()> {
        self.writer.append(&mut self.x, &encoded.x)?;
        self.writer.append(&mut self.mask, &sample.active)?;
        self.scales.push(encoded.pressure_scale as f32);
        Ok(())
    }

    fn targets(&mut self, saturation: &[f32], buildup: &[f32], scale: f64) -> Result<()> {
        let Some([s, p]) = &mut self.targets else { return Ok(()) };
        self.writer.append(s, saturation)?;
        // By the stored scale, so that multiplying by it gives back the build-up.
        let scale = scale as f32;
        let pressure: Vec<f32> = buildup.iter().map(|dp| dp / scale).collect();
        Ok(self.writer.append(p, &pressure)?)
    }

    fn finish(mut self, ids: &[i64], split: &[u8]) -> Result<()> {
        let (dims, n) = (["sample"], [ids.len()]);
        let w = &mut self.writer;
        w.write(&Variable::new::<i64>("sample", &dims, &n, "1", "Number of the reservoir"), ids)?;
        w.write(&Variable::new::<u8>("split", &dims, &n, "1", "0 training, 1 validation, 2 test"), split)?;
        let scale =
            Variable::new::<f32>("pressure_scale", &dims, &n, "bar", "Pressure by which build-up is divided");
        w.write(&scale, &self.scales)?;
        Ok(self.writer.finish()?)
    }
}
