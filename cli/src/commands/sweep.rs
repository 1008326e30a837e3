//! `flow sweep`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use flow_artifact::table::Table as Columns;
use flow_engine::catalog::Catalog;
use flow_engine::run;
use flow_engine::sweep::{self, Dimension, Error, Found, Method, Options, Search, Trial};
use serde_json::{Map, Value, json};

use super::Failure;
use super::plan::json as json_line;
use super::request::{self, WorkflowArgs};
use super::run::Format;
use crate::render::text::{self, BOLD, DIM, GREEN, RED, RESET, clean};
use crate::render::{Detail, columns, renderer};

/// Arguments of `flow sweep`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow sweep ccs --vary train.with.learning_rate=1e-4..1e-2:log --vary train.with.batch_size=2,4 \\
                 --metric evaluate.metrics.surrogate.saturation_relative_l2 --trials 30

What may follow a name:
  lr=1e-4..1e-2:log       real numbers, evenly spread over the powers of ten
  dropout=0.0..0.5        real numbers, evenly spread
  width=16..64            whole numbers, if both ends are written as such
  depth=1..3 km           with a unit, where the parameter has one
  lr=1e-4..1e-2:log:5     5 numbers of a range (a grid needs to know how many)
  model=fno,ufno          one of these; also lists: modes=[8,8],[16,16]

Methods:
  tpe      near what was good so far (tree-structured Parzen estimator), after 10 trials by lhs
  random   independent of each other
  lhs      Latin hypercube: spread evenly along each parameter
  grid     every combination; takes no --trials

A trial is the workflow with some settings, and its results are kept like those of a run: what was
computed before is there already, stages that no setting reaches are computed once, and a search
that was interrupted goes on when it is asked for again. What is tried depends on --seed only (and,
for tpe, on the results and --batch). With more --trials, random and tpe go on with the same ones;
for lhs write --trials 20+10. Only what the metric needs is computed, and nothing is published. Over
the nodes of a stage (seeds, say) the mean counts. Trials that run together are one run:
  flow table WORKFLOW-sweep STAGE.OUTPUT

Exit status: 0 done, 1 no trial succeeded, 2 the request or workflow was wrong, 130 interrupted.")]
pub(crate) struct Args {
    /// Vary a parameter (width=16,32) or a stage's parameter (train.with.epochs=10..60); may be given again
    #[arg(long, value_name = "NAME=VALUES", required = true)]
    vary: Vec<String>,
    /// The number to look at
    #[arg(long, value_name = "STAGE.OUTPUT.NAME")]
    metric: String,
    /// Small numbers are good [default]
    #[arg(long, conflicts_with = "maximize")]
    minimize: bool,
    /// Large numbers are good
    #[arg(long)]
    maximize: bool,
    /// How trials are chosen
    #[arg(long, value_enum, default_value_t = Choice::Tpe)]
    method: Choice,
    /// How many trials; `20+10` are 20, and 10 more
    #[arg(long, value_name = "N", value_parser = trials)]
    trials: Option<Trials>,
    /// Another seed, other trials
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How many trials tpe suggests at a time; they run side by side
    #[arg(long, value_name = "N", default_value = "4", value_parser = request::positive)]
    batch: usize,
    #[command(flatten)]
    workflow: WorkflowArgs,
    /// Write all trials to a file as CSV (`-`: print them in place of the table)
    #[arg(long, value_name = "FILE", conflicts_with = "format")]
    csv: Option<PathBuf>,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    Tpe,
    Random,
    Lhs,
    Grid,
}

/// How many trials, in parts.
#[derive(Clone)]
struct Trials(Vec<usize>);

fn trials(text: &str) -> Result<Trials, String> {
    text.split('+').map(|part| request::positive(part.trim())).collect::<Result<_, _>>().map(Trials)
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let options = options(args)?;
    let mut catalog = Catalog::new(crate::plugins::builtin());
    let mut out = Output::new(args, &options.search);
    let found = sweep::sweep(&options, &mut catalog, &mut |event| out.event(&event)).map_err(failure)?;
    out.finish(args, &options, &found)?;
    Ok(match (found.interrupted, found.best()) {
        (true, _) => ExitCode::from(130),
        (false, Some(_)) => ExitCode::SUCCESS,
        (false, None) => ExitCode::from(1),
    })
}

fn failure(error: Error) -> Failure {
    match error {
        Error::Workflow(problems) => Failure::workflow(problems),
        Error::Metric(error) => Failure::unselectable(error),
        Error::Store(error) => Failure::store(error),
        Error::Run(run::Error::Plan(error)) => Failure::plan(error),
        Error::Run(error) => Failure::run(error),
    }
}

fn options(args: &Args) -> Result<Options, Failure> {
    let asked = &args.workflow;
    let unreadable = |error: sweep::Unreadable| Failure::request(error.message).hint(error.hint);
    let space: Vec<Dimension> =
        args.vary.iter().map(|text| Dimension::parse(text)).collect::<Result<_, _>>().map_err(unreadable)?;
    for setting in &asked.settings.set {
        let name = setting.split('=').next().unwrap_or_default();
        if space.iter().any(|dimension| dimension.name == name) {
            return Err(Failure::request(format_args!("`{name}` is set, and varied"))
                .hint("leave out `--set` or `--vary`"));
        }
    }
    let method = match args.method {
        Choice::Tpe => Method::Tpe,
        Choice::Random => Method::Random,
        Choice::Lhs => Method::Lhs,
        Choice::Grid => Method::Grid,
    };
    let trials = args.trials.as_ref().map(|trials| trials.0.as_slice()).unwrap_or_default();
    let search = Search::new(space, method, trials, args.seed, args.batch).map_err(unreadable)?;
    let (file, workflow) = asked.options()?;
    let run = run::Options {
        cores: workflow.cores,
        worker: request::worker()?,
        command: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
        fail_fast: false,
        overwrite: false,
    };
    Ok(Options {
        file,
        store: workflow.store.clone(),
        workflow,
        search,
        metric: args.metric.clone(),
        maximize: args.maximize,
        run,
    })
}

/// What is printed while it goes on, and at its end.
struct Output {
    format: Format,
    run: Box<dyn crate::render::Renderer>,
    names: Vec<String>,
    metric: String,
    maximize: bool,
    trials: usize,
    /// Nothing but the table is printed.
    quiet: bool,
}

impl Output {
    fn new(args: &Args, search: &Search) -> Self {
        Self {
            format: args.format,
            run: renderer(args.format, Detail::Problems),
            names: search.space().iter().map(|dimension| dimension.name.clone()).collect(),
            metric: args.metric.clone(),
            maximize: args.maximize,
            trials: search.trials(),
            quiet: args.csv.as_ref().is_some_and(|path| path.as_os_str() == "-"),
        }
    }

    fn event(&mut self, event: &sweep::Event<'_>) {
        match event {
            _ if self.quiet => {}
            sweep::Event::Started { workflow, search } => self.started(workflow, search),
            sweep::Event::Run(event) => {
                if matches!(event, flow_engine::event::Event::RunStarted { .. }) {
                    self.run = renderer(self.format, Detail::Problems);
                }
                self.run.event(event);
            }
            sweep::Event::Ended(trial) => match self.format {
                Format::Json => self.json(&self.trial("trial_finished", trial)),
                Format::Human => {
                    let line = self.line(trial);
                    self.run.say(&line);
                }
            },
        }
    }

    fn started(&mut self, workflow: &str, search: &Search) {
        let goal = if self.maximize { "maximize" } else { "minimize" };
        match self.format {
            Format::Json => {
                let space: Map<String, Value> =
                    search.space().iter().map(|d| (d.name.clone(), d.to_string().into())).collect();
                self.json(&json!({
                    "event": "sweep_started", "workflow": workflow, "metric": self.metric, "goal": goal,
                    "trials": self.trials, "space": space,
                }));
            }
            Format::Human => {
                let trials = text::count(self.trials, "trial");
                self.run.say(&format!("{}: {trials} to {goal} {}", clean(workflow), clean(&self.metric)));
                let width = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
                for dimension in search.space() {
                    let line = format!(
                        "  {:<width$}  {DIM}{}{RESET}",
                        dimension.name,
                        clean(&dimension.to_string())
                    );
                    self.run.say(&line);
                }
            }
        }
    }

    /// The line of a trial that has ended.
    fn line(&self, trial: &Trial) -> String {
        let width = self.trials.to_string().len();
        let settings: Vec<String> =
            self.names.iter().zip(&trial.settings).map(|(name, value)| format!("{name}={value}")).collect();
        let settings = clean(&settings.join(" "));
        let number = format!("trial {:>width$}", trial.number);
        match &trial.result {
            Ok(_) => {
                let took = match trial.computed {
                    0 => "cached".to_owned(),
                    _ => flow_engine::human::duration(trial.wall_s),
                };
                format!("{GREEN}{number}{RESET}  {:<10}  {settings}  {DIM}{took}{RESET}", value(trial))
            }
            Err(problem) => {
                format!("{RED}{number}{RESET}  {:<10}  {settings}  {DIM}{}{RESET}", "failed", clean(problem))
            }
        }
    }

    fn json(&self, value: &Value) {
        // Whoever reads may have gone; the search goes on, its results are in the store.
        let _ = json_line(&mut std::io::stdout().lock(), value);
    }

    fn trial(&self, event: &str, trial: &Trial) -> Value {
        let settings: Map<String, Value> = self
            .names
            .iter()
            .cloned()
            .zip(trial.settings.iter().map(|value| value.as_str().into()))
            .collect();
        let mut object = json!({
            "event": event, "trial": trial.number, "settings": settings, "value": trial.value(),
            "computed": trial.computed, "nodes": trial.nodes, "wall_s": trial.wall_s,
        });
        match &trial.result {
            Ok(spread) if spread.count > 1 => {
                object["n"] = spread.count.into();
                object["std"] = spread.deviation.into();
            }
            Ok(_) => {}
            Err(problem) => object["error"] = problem.as_str().into(),
        }
        object
    }

    fn finish(&self, args: &Args, options: &Options, found: &Found) -> Result<(), Failure> {
        let command = found.best().map(|trial| command(args, &options.search, trial));
        if args.format == Format::Json {
            let ranking: Vec<usize> = found.ranking.iter().map(|at| found.trials[*at].number).collect();
            let failed = found.trials.iter().filter(|trial| trial.result.is_err()).count();
            self.json(&json!({
                "event": "sweep_finished",
                "status": if found.interrupted { "interrupted" } else { "done" },
                "best": found.best().map(|trial| trial.number),
                "value": found.best().and_then(Trial::value),
                "ranking": ranking, "failed": failed, "command": command,
            }));
            return Ok(());
        }
        let mut out = anstream::stdout().lock();
        // A closed pipe is not an error, except where a file is written.
        let printed = match &args.csv {
            Some(_) if self.quiet => {
                let _ = out.write_all(self.csv(found).as_bytes());
                return Ok(());
            }
            Some(path) => {
                std::fs::write(path, self.csv(found)).map_err(|error| {
                    Failure::request(format_args!("cannot write {}: {error}", path.display()))
                })?;
                writeln!(out, "{}: {}", path.display(), text::count(found.trials.len(), "row"))
            }
            None => Ok(()),
        };
        let _ =
            printed.and_then(|()| self.table(&mut out, found)).and_then(|()| match (found.best(), command) {
                (Some(best), Some(command)) => {
                    let of = clean(&self.metric);
                    writeln!(
                        out,
                        "best: trial {}, {of} = {}\n  {BOLD}{command}{RESET}",
                        best.number,
                        value(best)
                    )
                }
                _ => writeln!(out, "no trial has {}", clean(&self.metric)),
            });
        if found.interrupted {
            let _ = writeln!(out, "interrupted; the same command goes on");
        }
        Ok(())
    }

    /// The best trials, best first.
    fn table(&self, out: &mut impl Write, found: &Found) -> std::io::Result<()> {
        const SHOWN: usize = 20;
        let shown: Vec<&Trial> = found.ranking.iter().take(SHOWN).map(|at| &found.trials[*at]).collect();
        if shown.is_empty() {
            return Ok(());
        }
        let name = self.metric.rsplit('.').next().unwrap_or(&self.metric);
        let mut cells = vec![vec!["trial".to_owned()], vec![clean(name)]];
        cells.extend(self.names.iter().map(|name| vec![clean(name)]));
        for trial in &shown {
            cells[0].push(trial.number.to_string());
            cells[1].push(value(trial));
            for (column, value) in cells[2..].iter_mut().zip(&trial.settings) {
                column.push(clean(value));
            }
        }
        writeln!(out)?;
        columns::write(out, &cells)?;
        match found.ranking.len() - shown.len() {
            0 => Ok(()),
            more => writeln!(out, "{DIM}and {more} more: --csv FILE writes all{RESET}"),
        }
    }

    /// All trials in their order, numbers with all their digits. A missing number is empty.
    fn csv(&self, found: &Found) -> String {
        let trials = || found.trials.iter();
        let mut table =
            Columns::new().with("trial", trials().map(|trial| trial.number.to_string()).collect::<Vec<_>>());
        for (at, name) in self.names.iter().enumerate() {
            table = table.with(name, trials().map(|trial| trial.settings[at].clone()).collect::<Vec<_>>());
        }
        let text = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let values: Vec<String> = trials().map(|trial| text(trial.value())).collect();
        table = table.with(&self.metric, values);
        if trials().any(|trial| trial.result.as_ref().is_ok_and(|spread| spread.count > 1)) {
            let spread = |trial: &Trial| trial.result.clone().ok().filter(|spread| spread.count > 1);
            let deviations: Vec<String> =
                trials().map(|trial| text(spread(trial).map(|s| s.deviation))).collect();
            table = table.with(&format!("{} std", self.metric), deviations);
        }
        let problems = trials().map(|trial| trial.result.as_ref().err().cloned().unwrap_or_default());
        table.with("error", problems.collect::<Vec<_>>()).to_csv()
    }
}

/// The number of a trial, with its spread where it is a mean.
fn value(trial: &Trial) -> String {
    use crate::render::artifact::number;
    match &trial.result {
        Ok(spread) if spread.count > 1 => format!("{} ± {}", number(spread.mean), number(spread.deviation)),
        Ok(spread) => number(spread.mean),
        Err(_) => "failed".to_owned(),
    }
}

/// The run that is this trial.
fn command(args: &Args, search: &Search, trial: &Trial) -> String {
    let asked = &args.workflow;
    let mut words = vec!["flow".to_owned(), "run".to_owned()];
    words.extend(asked.file.iter().map(|file| file.display().to_string()));
    for (option, value) in [
        ("--profile", asked.settings.profile.clone()),
        ("--store", asked.store.store.as_ref().map(|store| store.display().to_string())),
    ] {
        words.extend(value.into_iter().flat_map(|value| [option.to_owned(), value]));
    }
    words.extend(asked.settings.set.iter().flat_map(|setting| ["--set".to_owned(), setting.clone()]));
    words.extend(sweep::arguments(search, trial));
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:+,@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_quoted_for_a_shell() {
        let words = ["train.with.lr=1e-3", "r=1.5 km", "m=[8,8]", "t='x'", ""].map(quoted);
        assert_eq!(words, ["train.with.lr=1e-3", "'r=1.5 km'", "'m=[8,8]'", r"'t='\''x'\'''", "''"]);
    }
}
