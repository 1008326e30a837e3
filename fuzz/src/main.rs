//! `cargo run -p flow-fuzz -- TARGET --executions N`.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use flow_fuzz::{Campaign, Found, found_folder, targets};

/// Fuzzes one target and writes what it finds into fuzz/found/TARGET.
#[derive(Parser)]
struct Args {
    /// What to fuzz
    #[arg(value_parser = targets::NAMES)]
    target: String,
    /// How many texts to try
    #[arg(long, default_value_t = 100_000)]
    executions: u64,
    /// The same seed tries the same texts
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds that one text may take
    #[arg(long, default_value_t = 10)]
    patience: u64,
    /// Write the texts that reached new code into this folder
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
}

/// The stack that `flow` has: a deep recursion should be found where users would meet it, and not before.
const STACK: usize = 8 << 20;

fn main() -> ExitCode {
    let args = Args::parse();
    // What a target says when it panics is told once, below, with the text.
    std::panic::set_hook(Box::new(|_| {}));
    let campaign = std::thread::Builder::new().stack_size(STACK).spawn(move || fuzz(&args));
    match campaign.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(code))) => code,
        Ok(Ok(Err(error))) | Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
        Ok(Err(_)) => {
            eprintln!("error: the campaign itself panicked");
            ExitCode::FAILURE
        }
    }
}

fn fuzz(args: &Args) -> std::io::Result<ExitCode> {
    let Some(target) = targets::named(&args.target) else { return Ok(ExitCode::FAILURE) };
    let start = Instant::now();
    let mut campaign = Campaign::new(target, args.seed, Duration::from_secs(args.patience))?;
    const STEP: u64 = 2_000;
    let mut told = Instant::now();
    let mut saved = 0;
    let mut left = args.executions;
    while left > 0 {
        campaign.go_on(left.min(STEP));
        left -= left.min(STEP);
        save(&args.target, &campaign.found()[saved..])?;
        saved = campaign.found().len();
        if told.elapsed() > Duration::from_secs(5) || left == 0 {
            told = Instant::now();
            let (executions, (reached, of)) = (campaign.executions(), campaign.reached());
            let rate = executions as f64 / start.elapsed().as_secs_f64();
            eprintln!(
                "{}: {executions} texts, {rate:.0} a second, {} to start from, {reached} of {of} counters, {saved} found",
                args.target,
                campaign.corpus().len(),
            );
        }
    }
    if let Some(folder) = &args.keep {
        fs::create_dir_all(folder)?;
        for (at, text) in campaign.corpus().enumerate() {
            fs::write(folder.join(format!("{at:05}")), text)?;
        }
    }
    let code = if campaign.found().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    campaign.end();
    Ok(code)
}

/// Keeps what was found at once: a campaign may be long.
fn save(target: &str, found: &[Found]) -> std::io::Result<()> {
    let folder = found_folder(target);
    for found in found {
        fs::create_dir_all(&folder)?;
        let path = folder.join(&blake3::hash(found.text.as_bytes()).to_hex()[..12]);
        fs::write(&path, &found.text)?;
        println!("{}\n{}\n", path.display(), found.message);
    }
    std::io::stdout().flush()
}
