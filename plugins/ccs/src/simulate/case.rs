//! What a simulation needs, what it gives, and how it can fail.

use crate::curves::{CurveError, CurveTable};
use crate::fluid::{Fluid, FluidError};
use crate::grid::{Grid, GridError, Transmissibility};
use crate::units::GRAVITY;

/// Compressible pores: `phi = phi0 (1 + c + c²/2)`, `c = compressibility (p_g - reference)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rock {
    /// 1/bar.
    pub compressibility: f64,
    /// Pressure at which the pore volumes are given, bar.
    pub reference_pressure: f64,
}

/// State at time 0.
#[derive(Debug, Clone, PartialEq)]
pub enum Initial {
    /// Brine at rest, with this water pressure (bar) at the top face of the grid.
    Hydrostatic {
        /// bar.
        pressure_top: f64,
    },
    /// Gas pressure (bar) and gas saturation of every cell, shape (z, r).
    State {
        /// Gas-phase pressure, bar.
        pressure: Vec<f64>,
        /// Gas saturation.
        saturation: Vec<f64>,
    },
}

/// A perforated cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Connection {
    /// Row of the cell.
    pub row: usize,
    /// Connection factor, cP·m³/(day·bar).
    pub factor: f64,
}

/// A CO₂ injector along one column, controlled by its mass rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Well {
    /// Column of the perforations.
    pub column: usize,
    /// Perforations from the top down; the bottom-hole pressure is that of the first.
    pub connections: Vec<Connection>,
    /// Mass rate, kg/day.
    pub rate: f64,
    /// Bottom-hole pressure (bar) at which the run ends with
    /// [`SimulationError::PressureLimit`].
    pub pressure_limit: Option<f64>,
}

/// A constant source in one cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Source {
    /// Cell, `row * columns + column`.
    pub cell: usize,
    /// CO₂, kg/day (negative: taken out, at whatever saturation).
    pub gas: f64,
    /// Water, kg/day.
    pub water: f64,
}

/// Accuracy and limits of the time stepping.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Controls {
    /// First step, days. If `None`: the first report time, or a quarter of the time in which the
    /// injector fills the pores of its cells if that is shorter.
    pub first_step: Option<f64>,
    /// Longest step, days.
    pub max_step: f64,
    /// Shortest step, days: below it the run fails.
    pub min_step: f64,
    /// Longest step relative to the time reached: plumes and pressure waves grow with a power of
    /// time, so this bounds the relative error of the time stepping.
    pub relative_step: f64,
    /// Steps up to this long are allowed whatever `relative_step` says, days.
    pub short_step: f64,
    /// Largest growth of the step from one to the next.
    pub max_growth: f64,
    /// Newton iterations before a step is repeated with a shorter one.
    pub max_newton: usize,
    /// Largest change of a saturation in one Newton iteration.
    pub max_saturation_update: f64,
    /// Largest residual of a cell, in pore volumes.
    pub cell_tolerance: f64,
    /// Largest pressure update after which a step counts as converged, bar.
    pub pressure_tolerance: f64,
    /// Largest sum of residuals in a step, relative to the mass injected in it.
    pub balance_tolerance: f64,
    /// Linear solves after which the run fails.
    pub max_total_newton: usize,
}

impl Default for Controls {
    fn default() -> Self {
        Self {
            first_step: None,
            max_step: f64::INFINITY,
            min_step: 1e-5,
            relative_step: 0.14,
            short_step: 60.0,
            max_growth: 4.0,
            max_newton: 14,
            max_saturation_update: 0.2,
            cell_tolerance: 1e-3,
            pressure_tolerance: 0.5,
            balance_tolerance: 1e-7,
            max_total_newton: 20_000,
        }
    }
}

/// Most memory for the factors of the linear solver: 480 x 480 cells fit.
const MAX_MATRIX_BYTES: f64 = 4e9;

/// A problem to simulate. Arrays over cells have shape (z, r), row-major.
#[derive(Debug, Clone)]
pub struct Case {
    /// Grid, for depths and the shape of arrays.
    pub grid: Grid,
    /// Cells that take part.
    pub active: Vec<bool>,
    /// Pore volumes at the rock's reference pressure, m³.
    pub pore_volume: Vec<f64>,
    /// Transmissibilities.
    pub transmissibility: Transmissibility,
    /// Pore compressibility.
    pub rock: Rock,
    /// Saturation functions, one for each region.
    pub curves: Vec<CurveTable>,
    /// Region of each cell.
    pub region: Vec<u32>,
    /// Factor on the capillary pressure of each cell (see [`crate::curves::leverett`]).
    pub capillary_scale: Vec<f64>,
    /// Fluid properties.
    pub fluid: Fluid,
    /// State at time 0.
    pub initial: Initial,
    /// Injector.
    pub well: Option<Well>,
    /// Further sources.
    pub sources: Vec<Source>,
    /// Cells whose state never changes: boundaries of given pressure and saturation.
    pub fixed: Vec<usize>,
    /// Gravitational acceleration, bar·m²/kg ([`GRAVITY`]).
    pub gravity: f64,
    /// Times at which the state is stored, days, increasing and positive.
    pub report_times: Vec<f64>,
    /// Accuracy and limits.
    pub controls: Controls,
}

/// A run that gave no result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SimulationError {
    /// The case contradicts itself.
    #[error("the case cannot be simulated: {0}")]
    Case(String),
    /// No step, however short, converged.
    #[error("no convergence at day {time:.6}: steps below {min_step} d would be needed ({reason})")]
    StepTooShort {
        /// Day reached.
        time: f64,
        /// Shortest step allowed, days.
        min_step: f64,
        /// What went wrong in the last attempt.
        reason: &'static str,
    },
    /// Too many linear solves.
    #[error("more than {limit} Newton iterations by day {time:.3}")]
    TooMuchWork {
        /// Day reached.
        time: f64,
        /// Iterations allowed.
        limit: usize,
    },
    /// The injector needs more pressure than allowed.
    #[error("the injector reaches its pressure limit of {limit} bar on day {time:.3} ({pressure:.1} bar)")]
    PressureLimit {
        /// Day on which it happens.
        time: f64,
        /// Bottom-hole pressure needed, bar.
        pressure: f64,
        /// Limit, bar.
        limit: f64,
    },
    /// A pressure left the fluid table.
    #[error(
        "a pressure of {pressure:.1} bar on day {time:.3} is outside the fluid table ({low} to {high} bar)"
    )]
    FluidRange {
        /// Day on which it happens.
        time: f64,
        /// The pressure, bar.
        pressure: f64,
        /// Range of the table, bar.
        low: f64,
        /// Range of the table, bar.
        high: f64,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl From<GridError> for SimulationError {
    fn from(error: GridError) -> Self {
        Self::Case(error.to_string())
    }
}

impl From<CurveError> for SimulationError {
    fn from(error: CurveError) -> Self {
        Self::Case(error.to_string())
    }
}

impl From<FluidError> for SimulationError {
    fn from(error: FluidError) -> Self {
        Self::Case(error.to_string())
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Day reached.
    pub time: f64,
    /// Last report time, days.
    pub end: f64,
    /// Steps done.
    pub steps: usize,
    /// Linear solves done.
    pub newton: usize,
}

/// Work and balance of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statistics {
    /// Accepted steps.
    pub steps: usize,
    /// Steps repeated with a shorter one.
    pub cuts: usize,
    /// Newton iterations (linear solves) in all, including those of repeated steps.
    pub newton: usize,
    /// Largest |sum of CO₂ residuals| of a step relative to the CO₂ injected in it.
    pub max_step_mass_error: f64,
    /// |CO₂ in place - initial - injected| / injected at the end; for closed cases.
    pub mass_error: f64,
    /// CO₂ injected, kg.
    pub injected: f64,
    /// CO₂ in place at the end, kg.
    pub in_place: f64,
    /// Times at the end of each accepted step, days.
    pub times: Vec<f64>,
}

/// State at the report times. Fields have shape (time, z, r); inactive cells hold 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// Report times, days.
    pub times: Vec<f64>,
    /// Gas saturation.
    pub saturation: Vec<f64>,
    /// Change of the gas-phase pressure since time 0, bar.
    pub buildup: Vec<f64>,
    /// Gas-phase pressure at time 0, bar, shape (z, r).
    pub initial_pressure: Vec<f64>,
    /// Bottom-hole pressure at the report times, bar; empty without a well.
    pub bottom_hole: Vec<f64>,
    /// Work and balance.
    pub statistics: Statistics,
    /// Things a reader of the results should know.
    pub warnings: Vec<String>,
}

impl Case {
    /// A case with every cell active, one region, no capillary scaling, no sources, default
    /// controls and hydrostatic brine with `pressure_top` bar at the top face; rock from porosity
    /// (1) and horizontal and vertical permeability (mD), shape (z, r). The rock is referred to
    /// `pressure_top`.
    ///
    /// # Errors
    /// Arrays of the wrong shape.
    pub fn new(
        grid: Grid,
        (horizontal, vertical, porosity): (&[f64], &[f64], &[f64]),
        (curves, fluid): (CurveTable, Fluid),
        pressure_top: f64,
        report_times: Vec<f64>,
    ) -> Result<Self, SimulationError> {
        let cells = grid.cells();
        Ok(Self {
            active: vec![true; cells],
            pore_volume: grid.pore_volume(porosity)?,
            transmissibility: grid.transmissibility(horizontal, vertical)?,
            rock: Rock { compressibility: 4.35e-5, reference_pressure: pressure_top },
            curves: vec![curves],
            region: vec![0; cells],
            capillary_scale: vec![1.0; cells],
            fluid,
            initial: Initial::Hydrostatic { pressure_top },
            well: None,
            sources: Vec::new(),
            fixed: Vec::new(),
            gravity: GRAVITY,
            report_times,
            controls: Controls::default(),
            grid,
        })
    }

    /// Checks shapes and values.
    ///
    /// # Errors
    /// The first contradiction found.
    pub fn check(&self) -> Result<(), SimulationError> {
        let fail = |what: String| Err(SimulationError::Case(what));
        let cells = self.grid.cells();
        for (name, len) in [
            ("active", self.active.len()),
            ("pore_volume", self.pore_volume.len()),
            ("horizontal transmissibility", self.transmissibility.horizontal.len()),
            ("vertical transmissibility", self.transmissibility.vertical.len()),
            ("region", self.region.len()),
            ("capillary_scale", self.capillary_scale.len()),
        ] {
            if len != cells {
                return fail(format!("{name} has {len} values for {cells} cells"));
            }
        }
        let positive = |v: &f64| *v >= 0.0 && v.is_finite();
        let t = &self.transmissibility;
        if !(t.horizontal.iter().all(positive) && t.vertical.iter().all(positive)) {
            return fail("transmissibilities must be finite and not negative".into());
        }
        if !(self.pore_volume.iter().all(positive) && self.capillary_scale.iter().all(positive)) {
            return fail("pore volumes and capillary scales must be finite and not negative".into());
        }
        if self.region.iter().any(|r| *r as usize >= self.curves.len()) {
            return fail("a region has no saturation functions".into());
        }
        let live = |c: usize| c < cells && self.active[c] && self.pore_volume[c] > 0.0;
        if !(0..cells).any(live) {
            return fail("no cell is active".into());
        }
        // The solver keeps a dense matrix of two unknowns a cell for each line of the longer side.
        let (shorter, longer) = {
            let (rows, columns) = (self.grid.rows(), self.grid.columns());
            (rows.min(columns), rows.max(columns))
        };
        if (longer as f64) * (2.0 * shorter as f64).powi(2) * 8.0 > MAX_MATRIX_BYTES {
            return fail(format!("a grid of {shorter} x {longer} cells is too large for the direct solver"));
        }
        if self.report_times.is_empty()
            || self.report_times[0] <= 0.0
            || self.report_times.windows(2).any(|w| w[1] <= w[0])
            || !self.report_times.iter().all(|t| t.is_finite())
        {
            return fail("report times must be positive, finite and increasing".into());
        }
        if let Some(well) = &self.well {
            if well.connections.is_empty() || !(well.rate > 0.0 && well.rate.is_finite()) {
                return fail("a well needs perforations and a positive rate".into());
            }
            for c in &well.connections {
                if well.column >= self.grid.columns() || c.row >= self.grid.rows() {
                    return fail(format!("perforation in row {} is outside the grid", c.row));
                }
                if !live(c.row * self.grid.columns() + well.column) {
                    return fail(format!("perforation in row {} lies in an inactive cell", c.row));
                }
                if !(c.factor > 0.0 && c.factor.is_finite()) {
                    return fail(format!("the connection factor of row {} is not positive", c.row));
                }
            }
            if well.connections.windows(2).any(|w| w[1].row <= w[0].row) {
                return fail("perforations must go from the top down".into());
            }
        }
        if self.sources.iter().any(|s| !live(s.cell)) || self.fixed.iter().any(|c| !live(*c)) {
            return fail("a source or fixed cell is not active".into());
        }
        if let Initial::State { pressure, saturation } = &self.initial {
            if pressure.len() != cells || saturation.len() != cells {
                return fail("the initial state has the wrong shape".into());
            }
            let bad = |c: usize| !pressure[c].is_finite() || !(0.0..=1.0).contains(&saturation[c]);
            if (0..cells).any(|c| live(c) && bad(c)) {
                return fail("the initial state has a value outside its range".into());
            }
        }
        Ok(())
    }
}
