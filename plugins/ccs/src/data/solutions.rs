//! Simulated reservoirs.

use std::path::Path;

use flow_plugin::artifact::{Dataset, DatasetWriter, Result, Stream, Variable};
use flow_plugin::{Kind, Port};

use super::{Coordinates, SOLUTIONS};

/// The simulation of one reservoir. Fields have shape (time, z, r), row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Solved {
    /// Gas saturation.
    pub saturation: Vec<f32>,
    /// Change of the gas-phase pressure, bar.
    pub buildup: Vec<f32>,
    /// Newton iterations.
    pub newton: i32,
    /// Accepted time steps.
    pub steps: i32,
    /// |CO₂ in place - CO₂ injected| / CO₂ injected at the end.
    pub mass_error: f32,
}

/// A data set of simulated reservoirs, opened.
#[derive(Debug, Clone)]
pub struct Solutions {
    dataset: Dataset,
    coordinates: Coordinates,
    ids: Vec<i64>,
}

impl Solutions {
    /// Opens a data set.
    ///
    /// # Errors
    /// A missing variable, or one of another type.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let dataset = Dataset::open(path)?;
        Ok(Self { coordinates: Coordinates::read(&dataset)?, ids: dataset.read("sample")?, dataset })
    }

    /// Grid and report times.
    #[must_use]
    pub fn coordinates(&self) -> &Coordinates {
        &self.coordinates
    }

    /// Numbers of the reservoirs.
    #[must_use]
    pub fn ids(&self) -> &[i64] {
        &self.ids
    }

    /// Gas saturation of the reservoir at a position, shape (time, z, r).
    ///
    /// # Errors
    /// A position that does not exist, or a file that cannot be read.
    pub fn saturation(&self, at: usize) -> Result<Vec<f32>> {
        self.dataset.read_rows("saturation", at..at + 1)
    }

    /// Pressure build-up (bar) of the reservoir at a position, shape (time, z, r).
    ///
    /// # Errors
    /// A position that does not exist, or a file that cannot be read.
    pub fn buildup(&self, at: usize) -> Result<Vec<f32>> {
        self.dataset.read_rows("pressure_buildup", at..at + 1)
    }

    /// 1 in cells of the formation, shape (z, r).
    ///
    /// # Errors
    /// A position that does not exist, or a file that cannot be read.
    pub fn active(&self, at: usize) -> Result<Vec<u8>> {
        self.dataset.read_rows("active", at..at + 1)
    }

    /// The port of such a data set.
    #[must_use]
    pub fn port(name: &str, doc: &str) -> Port {
        let field = ["sample", "time", "z", "r"];
        Port::new(name, Kind::Dataset, doc)
            .of_type(SOLUTIONS)
            .variable("sample", "i64", ["sample"], "1")
            .variable("time", "f64", ["time"], "d")
            .variable("saturation", "f32", field, "1")
            .variable("pressure_buildup", "f32", field, "bar")
            .variable("active", "u8", ["sample", "z", "r"], "1")
    }
}

/// Writes a data set of simulated reservoirs, one after the other.
pub struct SolutionsWriter {
    writer: DatasetWriter,
    fields: [Stream; 2],
    active: Stream,
    samples: Vec<(i64, i32, i32, f32)>,
}

impl SolutionsWriter {
    /// Starts a data set.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn create(path: &Path, coordinates: &Coordinates) -> Result<Self> {
        let mut writer = DatasetWriter::create(path)?;
        coordinates.write(&mut writer)?;
        let (t, z, r) = (coordinates.time.len(), coordinates.rows(), coordinates.columns());
        let dims = ["sample", "time", "z", "r"];
        let mut field = |name, units, long_name| {
            writer.stream::<f32>(&Variable::new::<f32>(name, &dims, &[0, t, z, r], units, long_name))
        };
        let fields = [
            field("saturation", "1", "Gas saturation")?,
            field("pressure_buildup", "bar", "Change of the gas-phase pressure")?,
        ];
        let active = Variable::new::<u8>(
            "active",
            &["sample", "z", "r"],
            &[0, z, r],
            "1",
            "Cell belongs to the formation",
        );
        let active = writer.stream::<u8>(&active)?;
        Ok(Self { writer, fields, active, samples: Vec::new() })
    }

    /// Appends a simulation.
    ///
    /// # Errors
    /// A file that cannot be written, or fields of the wrong shape.
    pub fn append(&mut self, id: i64, active: &[u8], solved: &Solved) -> Result<()> {
        let [saturation, buildup] = &mut self.fields;
        self.writer.append(saturation, &solved.saturation)?;
        self.writer.append(buildup, &solved.buildup)?;
        self.writer.append(&mut self.active, active)?;
        self.samples.push((id, solved.newton, solved.steps, solved.mass_error));
        Ok(())
    }

    /// Completes the data set.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn finish(mut self) -> Result<()> {
        let (dims, n) = (["sample"], [self.samples.len()]);
        let ids: Vec<i64> = self.samples.iter().map(|s| s.0).collect();
        let newton: Vec<i32> = self.samples.iter().map(|s| s.1).collect();
        let steps: Vec<i32> = self.samples.iter().map(|s| s.2).collect();
        let error: Vec<f32> = self.samples.iter().map(|s| s.3).collect();
        let w = &mut self.writer;
        w.write(&Variable::new::<i64>("sample", &dims, &n, "1", "Number of the reservoir"), &ids)?;
        w.write(&Variable::new::<i32>("newton_iterations", &dims, &n, "1", "Newton iterations"), &newton)?;
        w.write(&Variable::new::<i32>("time_steps", &dims, &n, "1", "Accepted time steps"), &steps)?;
        w.write(
            &Variable::new::<f32>("mass_error", &dims, &n, "1", "Relative error of CO2 in place"),
            &error,
        )?;
        self.writer.finish()
    }
}
