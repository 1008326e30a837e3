//! How fast datasets are written, identified and read: `cargo run --release -p flow-artifact --example throughput`.
//!
//! 256 MB of `f32` in 64 rows; the best of five. Files are in the page cache: this measures the code, not a disk.
//!
//! With the path of a file of another program (`-- data.nc`): reads all its values, and prints elapsed and CPU seconds
//! as a list, for `benches/data`.

use std::time::Instant;

use flow_artifact::import::Import;
use flow_artifact::{Dataset, DatasetWriter, Kind, Values, Variable, digest};
use memmap2::MmapMut;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().nth(1) {
        Some(path) => import(&path),
        None => own_format(),
    }
}

/// All values of a file, in memory: as NumPy does it, in one part that may consist of large pages.
fn import(path: &str) -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let mut import = Import::open(path)?;
    let variables: Vec<Variable> = import.arrays().into_iter().map(|found| found.variable).collect();
    let all: Vec<usize> = (0..variables.len()).collect();
    let (mut begins, mut size) = (Vec::new(), 0);
    for variable in &variables {
        begins.push(size);
        size += variable.len() * variable.dtype.size();
    }
    let mut memory = MmapMut::map_anon(size)?;
    #[cfg(target_os = "linux")]
    memory.advise(memmap2::Advice::HugePage)?;
    let mut read = 0;
    import.read(&all, &mut |at, values| {
        let bytes: &[u8] = match values {
            Values::U8(v) => v,
            Values::I32(v) => bytemuck::cast_slice(v),
            Values::I64(v) => bytemuck::cast_slice(v),
            Values::F32(v) => bytemuck::cast_slice(v),
            Values::F64(v) => bytemuck::cast_slice(v),
        };
        memory[begins[at]..begins[at] + bytes.len()].copy_from_slice(bytes);
        begins[at] += bytes.len();
        read += bytes.len();
        Ok(())
    })?;
    let elapsed = start.elapsed().as_secs_f64();
    assert!(size > 0 && read == size, "{read} of {size} bytes came from {path}");
    // User and system time, in hundredths of seconds: the fourteenth and fifteenth field of this file.
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    let ticks: f64 = fields.filter_map(|field| field.parse::<f64>().ok()).sum();
    println!("[{elapsed}, {}]", ticks / 100.0);
    Ok(())
}

fn own_format() -> Result<(), Box<dyn std::error::Error>> {
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
