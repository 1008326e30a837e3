//! How fast datasets are written, identified and read: `cargo run --release -p flow-artifact --example throughput`.
//!
//! 256 MB of `f32` in 64 rows; the best of five. Files are in the page cache: this measures the code, not a disk.

use std::time::Instant;

use flow_artifact::{Dataset, DatasetWriter, Kind, Variable, digest};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("flow-throughput-{}", std::process::id()));
    let (rows, row) = (64, 1_000_000);
    let values: Vec<f32> = (0..rows * row).map(|i| i as f32).collect();
    let variable = Variable::new::<f32>("x", &["row", "cell"], &[rows, row], "m", "");
    let mut best = [f64::INFINITY; 3];
    for _ in 0..5 {
        let start = Instant::now();
        let mut writer = DatasetWriter::create(&folder)?;
        writer.write(&variable, &values)?;
        writer.finish()?;
        let written = Instant::now();
        digest::of(Kind::Dataset, &folder)?;
        let identified = Instant::now();
        assert_eq!(Dataset::open(&folder)?.read::<f32>("x")?.len(), values.len());
        let read = Instant::now();
        let times = [written - start, identified - written, read - identified];
        for (best, time) in best.iter_mut().zip(times) {
            *best = best.min(time.as_secs_f64());
        }
        std::fs::remove_dir_all(&folder)?;
    }
    let megabytes = (rows * row * 4) as f64 / 1e6;
    for (name, seconds) in ["write", "digest", "read"].iter().zip(best) {
        println!("{name:<7} {:>6.0} MB/s", megabytes / seconds);
    }
    Ok(())
}
