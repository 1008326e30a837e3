//! A limit on the time that one text may take.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Ends the process when a text takes too long.
pub(crate) struct Watch {
    running: Arc<Mutex<Running>>,
}

#[derive(Default)]
struct Running {
    since: Option<Instant>,
    text: String,
    /// The campaign is over.
    ended: bool,
}

impl Watch {
    pub(crate) fn start(patience: Duration) -> Self {
        let running = Arc::<Mutex<Running>>::default();
        let watched = running.clone();
        thread::spawn(move || {
            loop {
                thread::sleep(patience / 10);
                let running = lock(&watched);
                if running.ended {
                    return;
                }
                if running.since.is_some_and(|since| since.elapsed() > patience) {
                    eprintln!("a text takes longer than {patience:?}:\n{}", running.text);
                    std::process::abort();
                }
            }
        });
        Self { running }
    }

    pub(crate) fn begins(&self, text: &str) {
        let mut running = lock(&self.running);
        running.text.clear();
        running.text.push_str(text);
        running.since = Some(Instant::now());
    }

    pub(crate) fn ends(&self) {
        lock(&self.running).since = None;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        lock(&self.running).ended = true;
    }
}

fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}
