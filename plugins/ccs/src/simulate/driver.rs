//! Newton's method for one step, and the march over the report times.

use super::case::{Case, Controls, Initial, Progress, SimulationError, Solution, Statistics};
use super::linear::{LineSolver, Update};
use super::mesh::Mesh;
use super::predictor::Predictor;
use super::residual::System;
use std::ops::ControlFlow;

/// Simulates `case`, calling `monitor` after every step.
///
/// # Errors
/// A contradictory case, no convergence even with the shortest step, the injector's pressure limit,
/// a pressure outside the fluid table, or `monitor` breaking off.
pub fn simulate(
    case: &Case,
    monitor: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Solution, SimulationError> {
    case.check()?;
    let mesh = Mesh::new(case);
    let mut run = Run::new(case, &mesh)?;
    run.march(monitor)
}

/// Why a step did not converge.
const TOO_MANY_ITERATIONS: &str = "too many Newton iterations";
const SINGULAR: &str = "a singular linear system";

/// Turns volumes of water into masses, kg/m³, where only the order of magnitude matters.
const WATER_DENSITY: f64 = 1000.0;

struct Run<'a> {
    case: &'a Case,
    mesh: &'a Mesh,
    system: System<'a>,
    solver: LineSolver,
    update: Update,
    predictor: Predictor,
    /// State at the start of the step.
    pressure: Vec<f64>,
    saturation: Vec<f64>,
    bhp: f64,
    initial_pressure: Vec<f64>,
    statistics: Statistics,
    total_pore_volume: f64,
    initial_gas: f64,
}

/// How a converged step went.
struct StepReport {
    iterations: usize,
    mass_error: f64,
}

impl<'a> Run<'a> {
    fn new(case: &'a Case, mesh: &'a Mesh) -> Result<Self, SimulationError> {
        let mut system = System::new(case, mesh);
        initialise(case, mesh, &mut system);
        system.update_states();
        if let Some(well) = &mut system.well {
            if let Some(first) = well.connections.first() {
                well.bhp = system.states[first.cell].water_pressure;
            }
            well.update_heads(&case.fluid);
            well.solve_pressure(&system.states);
        }
        let total_pore_volume = (0..mesh.cells()).map(|c| system.rocks.pore_volume(c)).sum();
        let run = Self {
            case,
            mesh,
            solver: LineSolver::new(mesh),
            update: Update::default(),
            predictor: Predictor::new(case),
            pressure: system.pressure.clone(),
            saturation: system.saturation.clone(),
            bhp: system.well.as_ref().map_or(0.0, |w| w.bhp),
            initial_pressure: system.pressure.clone(),
            statistics: Statistics::default(),
            total_pore_volume,
            initial_gas: system.gas_in_place(),
            system,
        };
        run.check_range(0.0)?;
        Ok(run)
    }

    fn march(
        &mut self,
        monitor: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Solution, SimulationError> {
        let case = self.case;
        let controls = &case.controls;
        let reports = &case.report_times;
        let end = reports[reports.len() - 1];
        let cells = case.grid.cells();
        let mut solution = Solution {
            times: reports.clone(),
            saturation: Vec::with_capacity(cells * reports.len()),
            buildup: Vec::with_capacity(cells * reports.len()),
            initial_pressure: vec![0.0; cells],
            bottom_hole: Vec::new(),
            statistics: Statistics::default(),
            warnings: Vec::new(),
        };
        for (c, &g) in self.mesh.grid_cell.iter().enumerate() {
            solution.initial_pressure[g as usize] = self.initial_pressure[c];
        }
        let mut time = 0.0;
        let mut proposal = controls.first_step.unwrap_or_else(|| self.first_step());
        for &report in reports {
            while time < report {
                let remaining = report - time;
                let dt = share(
                    remaining,
                    proposal
                        .min(controls.max_step)
                        .min(controls.short_step.max(controls.relative_step * time)),
                );
                let last = dt == remaining;
                match self.step(time, dt) {
                    Ok(done) => {
                        time = if last { report } else { time + dt };
                        self.accept(time, &done)?;
                        proposal = next_step(controls, dt, proposal, done.iterations);
                        let progress = Progress {
                            time,
                            end,
                            steps: self.statistics.steps,
                            newton: self.statistics.newton,
                        };
                        if monitor(&progress).is_break() {
                            return Err(SimulationError::Cancelled);
                        }
                    }
                    Err(reason) => {
                        self.restore();
                        self.statistics.cuts += 1;
                        proposal = dt / 3.0;
                        if proposal < controls.min_step {
                            return Err(SimulationError::StepTooShort {
                                time,
                                min_step: controls.min_step,
                                reason,
                            });
                        }
                    }
                }
                if self.statistics.newton > controls.max_total_newton {
                    return Err(SimulationError::TooMuchWork { time, limit: controls.max_total_newton });
                }
            }
            self.snapshot(&mut solution);
        }
        self.finish(&mut solution, end);
        Ok(solution)
    }

    /// A first step that the cells at the injector can take.
    fn first_step(&self) -> f64 {
        let report = self.case.report_times[0];
        let Some(well) = &self.system.well else {
            return report;
        };
        let room: f64 = well
            .connections
            .iter()
            .map(|c| self.system.rocks.pore_volume(c.cell) * self.system.states[c.cell].gas_density)
            .sum();
        report.min(0.25 * room / well.rate)
    }

    /// One implicit step of `dt` days from the stored state.
    fn step(&mut self, time: f64, dt: f64) -> Result<StepReport, &'static str> {
        let controls = &self.case.controls;
        if let Some(well) = &mut self.system.well {
            well.update_heads(&self.case.fluid);
        }
        self.system.begin_step();
        self.solver.reset();
        self.predict(time, dt);
        for iterations in 0..=controls.max_newton {
            self.system.update_residual(dt);
            // An update of the size of rounding errors cannot be improved upon.
            let exhausted = iterations > 0 && self.update.is_rounding();
            let (converged, mass_error) = self.converged(dt, controls, exhausted);
            // The balances say little about pressure where compressibility is small: the update that
            // led here does, since the next one would be much smaller still.
            let settled = iterations > 0 && self.update.largest_pressure() <= controls.pressure_tolerance;
            if converged && settled {
                return Ok(StepReport { iterations, mass_error });
            }
            if iterations == controls.max_newton {
                break;
            }
            self.statistics.newton += 1;
            if !self.solver.solve(&self.system, dt, &mut self.update) {
                return Err(SINGULAR);
            }
            self.apply(controls.max_saturation_update);
            self.system.update_states();
        }
        Err(TOO_MANY_ITERATIONS)
    }

    /// Moves the unknowns to the predicted end of the step if that is nearer to the solution.
    fn predict(&mut self, time: f64, dt: f64) {
        let system = &mut self.system;
        if !self.predictor.guess(
            self.mesh,
            time + dt,
            &self.initial_pressure,
            &mut system.pressure,
            &mut system.saturation,
        ) {
            return;
        }
        let size = |system: &System| -> f64 {
            let volume = |(c, s): (usize, &super::properties::CellState)| {
                let gas = system.gas_residual[c];
                let gas = if gas == 0.0 { 0.0 } else { gas / s.gas_density };
                (system.water_residual[c] / s.water_density).abs() + gas.abs()
            };
            system.states.iter().enumerate().map(volume).sum()
        };
        system.update_states();
        system.update_residual(dt);
        let moved = size(system);
        let guess = (system.pressure.clone(), system.saturation.clone());
        system.pressure.copy_from_slice(&self.pressure);
        system.saturation.copy_from_slice(&self.saturation);
        system.update_states();
        system.update_residual(dt);
        if moved < size(system) {
            (system.pressure, system.saturation) = guess;
            system.update_states();
        }
    }

    /// Whether all balances hold, and the relative error of the CO₂ balance of the step.
    fn converged(&self, dt: f64, controls: &Controls, exhausted: bool) -> (bool, f64) {
        let system = &self.system;
        let (mut worst, mut gas_sum, mut water_sum) = (0.0_f64, 0.0, 0.0);
        for (c, state) in system.states.iter().enumerate() {
            let (rw, rg) = (system.water_residual[c], system.gas_residual[c]);
            let mut volume = rw.abs() / state.water_density;
            water_sum += rw / state.water_density;
            if rg != 0.0 {
                gas_sum += rg;
                volume += rg.abs() / state.gas_density;
            }
            // A NaN anywhere must not pass: `max` would drop it.
            let error = volume * dt / system.rocks.pore_volume(c);
            if error.is_nan() {
                return (false, f64::NAN);
            }
            worst = worst.max(error);
        }
        let shortfall = system.well.as_ref().map_or(0.0, |w| w.residual());
        let gas_error = gas_sum.abs() + shortfall.abs();
        let water_error = water_sum.abs() * WATER_DENSITY;
        // What flows in, or, where nothing does, a thousandth of the pore space.
        let (gas_rate, all_rates) = system.rates();
        let closed = 1e-3 * self.total_pore_volume * WATER_DENSITY / dt;
        let gas_scale = if gas_rate > 0.0 { gas_rate } else { closed };
        let water_scale = if all_rates > 0.0 { all_rates } else { closed };
        let mass_error = gas_error / gas_scale;
        let fine = (worst <= controls.cell_tolerance || exhausted)
            && mass_error <= controls.balance_tolerance
            && water_error <= 10.0 * controls.balance_tolerance * water_scale;
        (fine, mass_error)
    }

    fn apply(&mut self, limit: f64) {
        let system = &mut self.system;
        for (p, dp) in system.pressure.iter_mut().zip(&self.update.pressure) {
            *p += dp;
        }
        for (s, ds) in system.saturation.iter_mut().zip(&self.update.saturation) {
            *s = (*s + ds.clamp(-limit, limit)).clamp(0.0, 1.0);
        }
        if let Some(well) = &mut system.well {
            well.bhp += self.update.bhp;
        }
    }

    fn accept(&mut self, time: f64, done: &StepReport) -> Result<(), SimulationError> {
        if let Some(well) = &self.system.well {
            if well.bhp > well.limit {
                return Err(SimulationError::PressureLimit { time, pressure: well.bhp, limit: well.limit });
            }
            self.bhp = well.bhp;
        }
        self.check_range(time)?;
        self.pressure.copy_from_slice(&self.system.pressure);
        self.saturation.copy_from_slice(&self.system.saturation);
        self.predictor.accept(time, &self.initial_pressure, &self.pressure, &self.saturation);
        self.statistics.steps += 1;
        self.statistics.times.push(time);
        self.statistics.max_step_mass_error = self.statistics.max_step_mass_error.max(done.mass_error);
        Ok(())
    }

    fn check_range(&self, time: f64) -> Result<(), SimulationError> {
        let (low, high) = self.case.fluid.gas.range();
        for (p, near) in self.system.pressure.iter().zip(&self.system.near_gas) {
            // Where there is no gas its table is not used.
            if *near && !(low..=high).contains(p) {
                return Err(SimulationError::FluidRange { time, pressure: *p, low, high });
            }
        }
        Ok(())
    }

    fn restore(&mut self) {
        self.system.pressure.copy_from_slice(&self.pressure);
        self.system.saturation.copy_from_slice(&self.saturation);
        if let Some(well) = &mut self.system.well {
            well.bhp = self.bhp;
        }
        self.system.update_states();
    }

    fn snapshot(&self, solution: &mut Solution) {
        let cells = self.case.grid.cells();
        let start = solution.saturation.len();
        solution.saturation.resize(start + cells, 0.0);
        solution.buildup.resize(start + cells, 0.0);
        for (c, &g) in self.mesh.grid_cell.iter().enumerate() {
            solution.saturation[start + g as usize] = self.saturation[c];
            solution.buildup[start + g as usize] = self.pressure[c] - self.initial_pressure[c];
        }
        if self.system.well.is_some() {
            solution.bottom_hole.push(self.bhp);
        }
    }

    fn finish(&mut self, solution: &mut Solution, end: f64) {
        let mut statistics = std::mem::take(&mut self.statistics);
        statistics.injected = self.system.gas_rate() * end;
        statistics.in_place = self.system.gas_in_place();
        let scale =
            if statistics.injected == 0.0 { statistics.in_place.max(1.0) } else { statistics.injected.abs() };
        statistics.mass_error = (statistics.in_place - self.initial_gas - statistics.injected).abs() / scale;
        if statistics.cuts > statistics.steps {
            solution.warnings.push(format!(
                "{} steps had to be repeated with shorter ones ({} accepted)",
                statistics.cuts, statistics.steps
            ));
        }
        solution.statistics = statistics;
    }
}

/// Equal steps of about `proposal` over what remains until the next report.
fn share(remaining: f64, proposal: f64) -> f64 {
    let steps = (remaining / proposal - 1e-9).ceil().max(1.0);
    if steps <= 1.0 {
        remaining
    } else if steps <= 2.0 {
        0.5 * remaining
    } else {
        proposal
    }
}

fn next_step(controls: &Controls, dt: f64, proposal: f64, iterations: usize) -> f64 {
    let growth = if iterations <= 7 {
        controls.max_growth
    } else if iterations <= 10 {
        1.0
    } else {
        0.7
    };
    // A step shortened to meet a report does not shorten those after it.
    (dt * growth).max(if iterations <= 7 { proposal } else { 0.0 })
}

/// Sets pressures and saturations of time 0.
fn initialise(case: &Case, mesh: &Mesh, system: &mut System) {
    match &case.initial {
        Initial::State { pressure, saturation } => {
            for (c, &g) in mesh.grid_cell.iter().enumerate() {
                system.pressure[c] = pressure[g as usize];
                system.saturation[c] = saturation[g as usize];
            }
        }
        Initial::Hydrostatic { pressure_top } => {
            let rows = hydrostatic(case, *pressure_top);
            let columns = case.grid.columns();
            for (c, &g) in mesh.grid_cell.iter().enumerate() {
                system.pressure[c] = rows[g as usize / columns] + system.rocks.entry_pressure(c);
            }
        }
    }
}

/// Water pressure (bar) of every row at rest, from the pressure at the top face: discretely in
/// balance, with the mean density of neighbouring rows as in the fluxes.
fn hydrostatic(case: &Case, pressure_top: f64) -> Vec<f64> {
    let brine = &case.fluid.brine;
    let mut above = (case.grid.z_faces()[0], pressure_top, brine.density_at(pressure_top).0);
    let mut rows = Vec::with_capacity(case.grid.rows());
    for k in 0..case.grid.rows() {
        let depth = case.grid.depth(k);
        let (top, p0, rho0) = above;
        let mut rho = rho0;
        let mut p = p0;
        // The first half row hangs on its own density, every other on the mean with the row above;
        // the weak dependence of density on pressure makes the iteration contract by 1e-4 or better.
        for _ in 0..6 {
            let mean = if k == 0 { rho } else { 0.5 * (rho0 + rho) };
            p = p0 + case.gravity * mean * (depth - top);
            rho = brine.density_at(p).0;
        }
        rows.push(p);
        above = (depth, p, rho);
    }
    rows
}
