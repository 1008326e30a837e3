//! Reservoirs before simulation.

use std::path::Path;

use flow_plugin::artifact::{Dataset, DatasetWriter, Result, Stream, Variable};
use flow_plugin::{Kind, Port};

use super::{Coordinates, RESERVOIRS, narrow, widen};
use crate::geology::Reservoir;

/// What a reservoir has one number of.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Scalars {
    /// Injection rate, Mt/yr.
    pub rate: f64,
    /// Brine pressure at the top before injection, bar.
    pub pressure_top: f64,
    /// Temperature, °C.
    pub temperature: f64,
    /// Thickness of the formation, m.
    pub thickness: f64,
    /// Depth of the top of the perforation below the top of the formation, m.
    pub perforation_top: f64,
    /// Depth of the bottom of the perforation below the top of the formation, m.
    pub perforation_bottom: f64,
    /// Irreducible water saturation.
    pub swi: f64,
    /// Exponent of the capillary-pressure curve.
    pub lambda: f64,
    /// Capillary pressure scale at 100 mD and porosity 0.2, bar.
    pub entry_pressure: f64,
}

/// Name, units and meaning of a scalar, and its place.
type ScalarField = (&'static str, &'static str, &'static str, fn(&mut Scalars) -> &mut f64);

const SCALARS: [ScalarField; 9] = [
    ("rate", "Mt/a", "Injection rate", |s| &mut s.rate),
    ("pressure_top", "bar", "Initial brine pressure at the top", |s| &mut s.pressure_top),
    ("temperature", "degC", "Temperature", |s| &mut s.temperature),
    ("thickness", "m", "Thickness of the formation", |s| &mut s.thickness),
    ("perforation_top", "m", "Depth of the top of the perforation", |s| &mut s.perforation_top),
    ("perforation_bottom", "m", "Depth of the bottom of the perforation", |s| &mut s.perforation_bottom),
    ("swi", "1", "Irreducible water saturation", |s| &mut s.swi),
    ("lambda", "1", "Exponent of the capillary-pressure curve", |s| &mut s.lambda),
    ("entry_pressure", "bar", "Capillary pressure scale at 100 mD, porosity 0.2", |s| &mut s.entry_pressure),
];

/// One reservoir, as stored. Fields have shape (z, r), row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its number.
    pub id: i64,
    /// Scalars.
    pub scalars: Scalars,
    /// Family of saturation functions: 0 Brooks–Corey, 1 van Genuchten.
    pub curve: u8,
    /// Kind of permeability field (see [`crate::geology::FieldKind::code`]).
    pub field_kind: u8,
    /// Radial permeability, mD.
    pub kr: Vec<f64>,
    /// Vertical permeability, mD.
    pub kz: Vec<f64>,
    /// Porosity.
    pub porosity: Vec<f64>,
    /// 1 in cells of the formation, 0 elsewhere.
    pub active: Vec<u8>,
}

/// A data set of reservoirs, opened.
#[derive(Debug, Clone)]
pub struct Reservoirs {
    dataset: Dataset,
    coordinates: Coordinates,
    ids: Vec<i64>,
    scalars: Vec<Scalars>,
    curve: Vec<u8>,
    field_kind: Vec<u8>,
    compressibility: f64,
    salinity: f64,
}

/// Rock compressibility of the data sets, 1/bar.
const COMPRESSIBILITY: f64 = 4.35e-5;

impl Reservoirs {
    /// Opens a data set and reads all but its fields.
    ///
    /// # Errors
    /// A missing variable, or one of another type.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let dataset = Dataset::open(path)?;
        let ids: Vec<i64> = dataset.read("sample")?;
        let mut scalars = vec![Scalars::default(); ids.len()];
        for (name, _, _, place) in SCALARS {
            for (s, value) in scalars.iter_mut().zip(dataset.read::<f32>(name)?) {
                *place(s) = f64::from(value);
            }
        }
        let attribute = |name: &str, default: f64| {
            dataset.attributes().get(name).and_then(|value| value.as_f64()).unwrap_or(default)
        };
        Ok(Self {
            coordinates: Coordinates::read(&dataset)?,
            scalars,
            curve: dataset.read("curve")?,
            field_kind: dataset.read("field_kind")?,
            compressibility: attribute("rock_compressibility_per_bar", COMPRESSIBILITY),
            salinity: attribute("salinity_mass_fraction", 0.0),
            ids,
            dataset,
        })
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

    /// Rock compressibility, 1/bar, referred to the pressure at the top.
    #[must_use]
    pub fn compressibility(&self) -> f64 {
        self.compressibility
    }

    /// Salinity of the brine, mass fraction of NaCl.
    #[must_use]
    pub fn salinity(&self) -> f64 {
        self.salinity
    }

    /// Position of the reservoir with a number.
    #[must_use]
    pub fn position(&self, id: i64) -> Option<usize> {
        self.ids.iter().position(|other| *other == id)
    }

    /// Reads the reservoir at a position.
    ///
    /// # Errors
    /// A position that does not exist, or a file that cannot be read.
    pub fn sample(&self, at: usize) -> Result<Sample> {
        let field = |name| Ok(widen(&self.dataset.read_rows::<f32>(name, at..at + 1)?));
        Ok(Sample {
            kr: field("kr")?,
            kz: field("kz")?,
            porosity: field("porosity")?,
            active: self.dataset.read_rows("active", at..at + 1)?,
            id: self.ids[at],
            scalars: self.scalars[at],
            curve: self.curve[at],
            field_kind: self.field_kind[at],
        })
    }

    /// The port of such a data set.
    #[must_use]
    pub fn port(name: &str, doc: &str) -> Port {
        let field = ["sample", "z", "r"];
        let mut port = Port::new(name, Kind::Dataset, doc)
            .of_type(RESERVOIRS)
            .variable("sample", "i64", ["sample"], "1")
            .variable("kr", "f32", field, "mD")
            .variable("kz", "f32", field, "mD")
            .variable("porosity", "f32", field, "1")
            .variable("active", "u8", field, "1")
            .variable("curve", "u8", ["sample"], "1")
            .variable("field_kind", "u8", ["sample"], "1");
        for (name, units, _, _) in SCALARS {
            port = port.variable(name, "f32", ["sample"], units);
        }
        port
    }
}

/// Writes a data set of reservoirs, one after the other.
pub struct ReservoirsWriter {
    writer: DatasetWriter,
    coordinates: Coordinates,
    fields: [Stream; 3],
    active: Stream,
    samples: Vec<(i64, Scalars, u8, u8)>,
}

impl ReservoirsWriter {
    /// Starts a data set.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn create(path: &Path, coordinates: &Coordinates) -> Result<Self> {
        let mut writer = DatasetWriter::create(path)?;
        writer.attribute("rock_compressibility_per_bar", COMPRESSIBILITY);
        writer.attribute("salinity_mass_fraction", 0.0);
        coordinates.write(&mut writer)?;
        let dims = ["sample", "z", "r"];
        let shape = [0, coordinates.rows(), coordinates.columns()];
        let mut field = |name, units, long_name| {
            writer.stream::<f32>(&Variable::new::<f32>(name, &dims, &shape, units, long_name))
        };
        let fields = [
            field("kr", "mD", "Radial permeability")?,
            field("kz", "mD", "Vertical permeability")?,
            field("porosity", "1", "Porosity")?,
        ];
        let active = Variable::new::<u8>("active", &dims, &shape, "1", "Cell belongs to the formation");
        let active = writer.stream::<u8>(&active)?;
        Ok(Self { writer, coordinates: coordinates.clone(), fields, active, samples: Vec::new() })
    }

    /// Appends a reservoir.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn append(&mut self, id: i64, reservoir: &Reservoir) -> Result<()> {
        let faces = &self.coordinates.z_face;
        let (first, count) = reservoir.perforation;
        let scalars = Scalars {
            rate: reservoir.rate,
            pressure_top: reservoir.pressure_top,
            temperature: reservoir.temperature,
            thickness: faces[reservoir.active_rows],
            perforation_top: faces[first],
            perforation_bottom: faces[first + count],
            swi: reservoir.swi,
            lambda: reservoir.lambda,
            entry_pressure: reservoir.entry_pressure,
        };
        for (stream, values) in
            self.fields.iter_mut().zip([&reservoir.kr, &reservoir.kz, &reservoir.porosity])
        {
            self.writer.append(stream, &narrow(values))?;
        }
        let cells = self.coordinates.cells();
        let inside = reservoir.active_rows * self.coordinates.columns();
        let active: Vec<u8> = (0..cells).map(|c| u8::from(c < inside)).collect();
        self.writer.append(&mut self.active, &active)?;
        self.samples.push((id, scalars, reservoir.curve.code(), reservoir.field.code()));
        Ok(())
    }

    /// Completes the data set.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn finish(mut self) -> Result<()> {
        let n = [self.samples.len()];
        let ids: Vec<i64> = self.samples.iter().map(|(id, ..)| *id).collect();
        let dims = ["sample"];
        self.writer
            .write(&Variable::new::<i64>("sample", &dims, &n, "1", "Number of the reservoir"), &ids)?;
        for (name, units, long_name, place) in SCALARS {
            let values: Vec<f32> = self.samples.iter_mut().map(|(_, s, ..)| *place(s) as f32).collect();
            self.writer.write(&Variable::new::<f32>(name, &dims, &n, units, long_name), &values)?;
        }
        let curve: Vec<u8> = self.samples.iter().map(|(_, _, curve, _)| *curve).collect();
        let kind: Vec<u8> = self.samples.iter().map(|(.., kind)| *kind).collect();
        let family = "Saturation functions: 0 Brooks-Corey, 1 van Genuchten";
        self.writer.write(&Variable::new::<u8>("curve", &dims, &n, "1", family), &curve)?;
        let field = "Field: 0 log-Gaussian, 1 von Karman, 2 layered, 3 discontinuous";
        self.writer.write(&Variable::new::<u8>("field_kind", &dims, &n, "1", field), &kind)?;
        self.writer.finish()
    }
}
