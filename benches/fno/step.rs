//! Times training steps of an FNO-2D: forward, relative L2, backward, Adam.
//!
//! `fno_step ROWS COLUMNS BATCH INPUTS OUTPUTS PADDING THREADS`; for every line `N` on standard input
//! it makes N steps and prints their CPU milliseconds (all threads) as a JSON array.

use std::error::Error;
use std::io::BufRead;
use std::sync::Arc;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use flow_operators::loss::LossPlan;
use flow_operators::ops::relative_l2;
use flow_operators::optim::{Adam, AdamConfig};
use flow_operators::{Fno, FnoConfig, Isa};

/// CPU milliseconds of all threads of this process, from the scheduler (nanosecond counters).
fn cpu_ms() -> Result<f64, Box<dyn Error>> {
    let mut total = 0.0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        total += text.split(' ').next().unwrap_or("0").parse::<f64>()?;
    }
    Ok(total / 1e6)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = Vec::new();
    for word in std::env::args().skip(1) {
        numbers.push(word.parse::<usize>()?);
    }
    let [rows, columns, batch, inputs, outputs, padding, threads] = numbers[..] else {
        return Err("usage: fno_step ROWS COLUMNS BATCH INPUTS OUTPUTS PADDING THREADS".into());
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    pool.install(|| steps([rows, columns], batch, inputs, outputs, padding).map_err(|e| e.to_string()))?;
    Ok(())
}

fn steps(
    size: [usize; 2],
    batch: usize,
    inputs: usize,
    outputs: usize,
    padding: usize,
) -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    let config = FnoConfig {
        domain_padding: size.map(|n| padding as f64 / n as f64).to_vec(),
        ..FnoConfig::default()
    };
    let mut model = Fno::new(&config, size, inputs, outputs, 0, &device)?;
    let mut adam = Adam::new(
        AdamConfig { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, weight_decay: 0.0, average: 0.0 },
        Isa::detect(),
    );
    let cells = batch * size[0] * size[1];
    // A few waves: what the numbers are does not matter to the time.
    let wave = |n: usize| -> Vec<f32> { (0..n).map(|i| (i as f32 * 0.37).sin()).collect() };
    let (x, y) = (wave(cells * inputs), wave(cells * outputs));
    let plan = Arc::new(LossPlan {
        isa: Isa::detect(),
        mask: Arc::new(vec![1; cells]),
        size,
        inverse_spacing: Arc::new(vec![1.0; size[1] - 2]),
        derivative_weight: 0.0,
        lower_bound: None,
    });
    let tensor = |values: &[f32], channels: usize| {
        let shape = [batch, size[0], size[1], channels];
        Tensor::<4>::from_data(TensorData::new(values.to_vec(), shape), &device)
    };
    for line in std::io::stdin().lock().lines() {
        let mut times = Vec::new();
        for _ in 0..line?.trim().parse::<usize>()? {
            let start = cpu_ms()?;
            let prediction = model.forward(tensor(&x, inputs), None);
            let loss = relative_l2(prediction, tensor(&y, outputs), plan.clone());
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = adam.step(1e-3, model, gradients);
            times.push(cpu_ms()? - start);
        }
        println!("{times:?}");
    }
    Ok(())
}
