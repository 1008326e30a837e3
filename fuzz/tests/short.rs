//! A short campaign of each target, from the corpus and everything that was found before.

use std::time::Duration;

use flow_fuzz::{Campaign, targets};

fn short(name: &str, executions: u64) {
    // The stack that `flow` has.
    let run = move || {
        let target = targets::named(name).unwrap_or_else(|| panic!("there is no target `{name}`"));
        let mut campaign =
            Campaign::new(target, 1, Duration::from_secs(60)).unwrap_or_else(|e| panic!("{e}"));
        assert!(campaign.corpus().len() > 0, "the corpus is not there");
        campaign.go_on(executions);
        if let Some(found) = campaign.found().first() {
            panic!("{}\n{}", found.message, found.text);
        }
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(8 << 20).spawn_scoped(scope, run);
        thread
            .unwrap_or_else(|e| panic!("{e}"))
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

#[test]
fn workflows() {
    short("workflow", 800);
}

#[test]
fn expressions() {
    short("expression", 40_000);
}

#[test]
fn messages() {
    short("protocol", 4_000);
}

#[test]
fn keys() {
    short("key", 10_000);
}
