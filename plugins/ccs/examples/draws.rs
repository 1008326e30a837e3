//! Simulates random cases like those of the U-FNO data set on the 64 x 32 grid and prints how long
//! they take.
//!
//! `cargo run --release -p flow-ccs --example draws -- [COUNT [FIRST]]`
//!
//! Thickness 12.5 to 200 m, perforations of 12.5 m to the whole thickness, 0.2 to 2 Mt/yr, 100 to 300
//! bar, 35 to 120 °C, four kinds of permeability fields with a standard deviation of ln k of 0.3 to 2,
//! van Genuchten or Brooks–Corey curves with Leverett scaling.

use flow_ccs::curves::{Model, leverett};
use flow_ccs::fluid::Fluid;
use flow_ccs::grid::Grid;
use flow_ccs::simulate::{Case, Connection, SimulationError, Well, simulate};
use flow_ccs::units::megatonnes_per_year;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::f64::consts::TAU;
use std::ops::ControlFlow;

const COLUMNS: usize = 64;
const ROWS: usize = 32;
const DZ: f64 = 6.25;

/// A field of unit variance: a sum of random waves with wave numbers drawn from the spectrum.
struct Field {
    waves: Vec<(f64, f64, f64)>,
}

impl Field {
    fn new(rng: &mut ChaCha8Rng, lr: f64, lz: f64, gaussian: bool) -> Self {
        let waves = (0..300)
            .map(|_| {
                let normal = |rng: &mut ChaCha8Rng| {
                    let (u, v): (f64, f64) = (rng.random_range(1e-12..1.0), rng.random());
                    (-2.0 * u.ln()).sqrt() * (TAU * v).cos()
                };
                // Gaussian covariance has a normal spectrum, the exponential one a Cauchy spectrum.
                let scale = if gaussian { 2f64.sqrt() } else { 1.0 / normal(rng).abs().max(0.02) };
                (normal(rng) * scale / lr, normal(rng) * scale / lz, rng.random_range(0.0..TAU))
            })
            .collect();
        Self { waves }
    }

    fn at(&self, r: f64, z: f64) -> f64 {
        let sum: f64 = self.waves.iter().map(|(a, b, c)| (a * r + b * z + c).cos()).sum();
        sum * (2.0 / self.waves.len() as f64).sqrt()
    }
}

fn draw(seed: u64) -> Result<(Case, String), SimulationError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let grid = Grid::geometric(11.2, 1.105, COLUMNS, DZ, ROWS)?;
    let rows = rng.random_range(2..=ROWS);
    let kind = rng.random_range(0..4);
    let mean: f64 = rng.random_range(2.3..5.7);
    let sd: f64 = rng.random_range(0.3..2.0);
    let lr = rng.random_range(200f64.ln()..4000f64.ln()).exp();
    let lz = rng.random_range(2.0..12.5);
    let anisotropy = rng.random_range(0.0..150f64.ln()).exp();
    let field = Field::new(&mut rng, lr, lz, kind == 0);
    let layers: Vec<f64> = (0..ROWS).map(|_| rng.random_range(-1.7..1.7)).collect();
    let (mut kr, mut kz, mut porosity) = (Vec::new(), Vec::new(), Vec::new());
    for (k, layer) in layers.iter().enumerate() {
        for r in grid.nodes() {
            let g = field.at(r.min(10_000.0), DZ * k as f64);
            let g = match kind {
                2 => *layer,
                3 => {
                    if g > 0.4 {
                        1.3
                    } else if g > -0.6 {
                        0.0
                    } else {
                        -1.6
                    }
                }
                _ => g,
            };
            let ln_k = (mean + sd * g).clamp(1e-3f64.ln(), 1e4f64.ln());
            kr.push(ln_k.exp());
            kz.push(ln_k.exp() / anisotropy);
            let noise: f64 = rng.random_range(-0.017..0.017);
            porosity.push((0.2 + 0.03 * (ln_k / 10f64.ln() - 1.5) + noise).clamp(0.03, 0.4));
        }
    }
    let swi = rng.random_range(0.1..0.3);
    let lambda = rng.random_range(0.3..0.7);
    let genuchten = rng.random_bool(0.5);
    let model = if genuchten {
        Model::VanGenuchten { swi, sgr: 0.0, lambda, scale: 0.1961 }
    } else {
        Model::BrooksCorey { swi, lambda, entry: rng.random_range(0.01..0.1) }
    };
    let temperature = rng.random_range(35.0..120.0);
    let pressure = rng.random_range(100.0..300.0);
    let rate = rng.random_range(0.2..2.0);
    let length = rng.random_range(2..=rows);
    let top = rng.random_range(0..=rows - length);
    let fluid = Fluid::co2_brine(temperature, 0.0, (pressure - 40.0, 1000.0))?;
    let times: Vec<f64> = (0..24)
        .scan((0.0, 1.0), |s, _| {
            s.0 += s.1;
            s.1 *= 1.421_245;
            Some(s.0)
        })
        .collect();
    let mut case = Case::new(grid, (&kr, &kz, &porosity), (model.tabulate(100)?, fluid), pressure, times)?;
    for c in 0..case.active.len() {
        case.active[c] = c / COLUMNS < rows;
        case.capillary_scale[c] = leverett(kr[c], porosity[c], 100.0, 0.2);
    }
    let connections = (top..top + length)
        .filter_map(|row| {
            let factor = case.grid.connection_factor(row, kr[row * COLUMNS])?;
            Some(Connection { row, factor })
        })
        .collect();
    case.well =
        Some(Well { column: 0, connections, rate: megatonnes_per_year(rate), pressure_limit: Some(1000.0) });
    let label = format!(
        "rows {rows} perf {top}+{length} kind {kind} lnk {mean:.1}/{sd:.1} aniso {anisotropy:.0} T {temperature:.0} p {pressure:.0} q {rate:.2} {} {lambda:.2}",
        if genuchten { "vG" } else { "BC" }
    );
    Ok((case, label))
}

/// CPU seconds of this thread's process so far.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0) * 1e-9
}

fn main() -> Result<(), SimulationError> {
    let mut args = std::env::args().skip(1).filter_map(|a| a.parse::<u64>().ok());
    let (count, first) = (args.next().unwrap_or(100), args.next().unwrap_or(0));
    let mut times = Vec::new();
    let (mut failed, mut limited, mut newton, mut steps, mut cuts) = (0, 0, 0, 0, 0);
    let mut worst_mass = 0.0_f64;
    for seed in first..first + count {
        let (case, label) = draw(seed)?;
        let start = cpu();
        let result = simulate(&case, &mut |_| ControlFlow::Continue(()));
        let seconds = cpu() - start;
        match result {
            Ok(solution) => {
                let s = &solution.statistics;
                times.push(seconds);
                newton += s.newton;
                steps += s.steps;
                cuts += s.cuts;
                worst_mass = worst_mass.max(s.mass_error).max(s.max_step_mass_error);
                if seconds > 0.4 || s.cuts > 10 {
                    println!(
                        "{seed}: {seconds:.2} s, {} steps, {} cuts, {} Newton; {label}",
                        s.steps, s.cuts, s.newton
                    );
                }
            }
            Err(SimulationError::PressureLimit { time, .. }) => {
                limited += 1;
                println!("{seed}: pressure limit at {time:.2} d after {seconds:.2} s; {label}");
            }
            Err(error) => {
                failed += 1;
                println!("{seed}: {error} after {seconds:.2} s; {label}");
            }
        }
    }
    times.sort_by(f64::total_cmp);
    let n = times.len().max(1);
    println!(
        "{} done, {failed} failed, {limited} at the pressure limit; CPU s mean {:.3} median {:.3} 90 % {:.3} max {:.3}; per case {:.0} steps {:.1} cuts {:.0} Newton; worst mass error {worst_mass:.1e}",
        times.len(),
        times.iter().sum::<f64>() / n as f64,
        times.get(n / 2).copied().unwrap_or(0.0),
        times.get(n * 9 / 10).copied().unwrap_or(0.0),
        times.last().copied().unwrap_or(0.0),
        steps as f64 / n as f64,
        cuts as f64 / n as f64,
        newton as f64 / n as f64,
    );
    Ok(())
}
