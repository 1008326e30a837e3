//! Simulates a stored case and compares it with a reference solution, time by time.
//!
//! `cargo run --release -p flow-ccs --example compare -- CASE.npz REFERENCE.npz`

use flow_ccs::simulate::simulate;
use flow_ccs::stored::case_from_npz;
use flow_plugin::artifact::import::Npz;
use std::error::Error;
use std::ops::ControlFlow;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut paths = std::env::args().skip(1);
    let (Some(case), Some(reference)) = (paths.next(), paths.next()) else {
        return Err("usage: compare CASE.npz REFERENCE.npz".into());
    };
    let case = case_from_npz(&Npz::open(case)?)?;
    let reference = Npz::open(reference)?;
    let start = Instant::now();
    let solution = simulate(&case, &mut |_| ControlFlow::Continue(()))?;
    let seconds = start.elapsed().as_secs_f64();
    let (sg, dp) = (reference.array("sg")?.values, reference.array("dp_bar")?.values);
    let cells = case.grid.cells();
    println!("       day  plume MAE   max dS  dP rel. L2");
    for (n, time) in solution.times.iter().enumerate() {
        let range = n * cells..(n + 1) * cells;
        let (mut sum, mut count, mut worst) = (0.0, 0usize, 0.0_f64);
        for (a, b) in solution.saturation[range.clone()].iter().zip(&sg[range.clone()]) {
            if a.max(*b) > 1e-3 {
                sum += (a - b).abs();
                worst = worst.max((a - b).abs());
                count += 1;
            }
        }
        let (mut error, mut norm) = (0.0, 0.0);
        for (a, b) in solution.buildup[range.clone()].iter().zip(&dp[range]) {
            error += (a - b) * (a - b);
            norm += b * b;
        }
        println!(
            "{time:10.2}  {:9.5}  {worst:7.4}  {:9.5}",
            sum / count.max(1) as f64,
            (error / norm).sqrt()
        );
    }
    let s = &solution.statistics;
    println!(
        "{seconds:.3} s, {} steps, {} cuts, {} Newton, step mass error {:.1e}, mass error {:.1e}",
        s.steps, s.cuts, s.newton, s.max_step_mass_error, s.mass_error
    );
    Ok(())
}
