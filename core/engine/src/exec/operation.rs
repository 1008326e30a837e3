//! The worker's side: putting in the paths, starting the program, waiting for it.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use flow_plugin::{Context, Error, Operation, Result, Spec, processes};
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde_json::Value;

use super::environment;
use super::forms::{self, Copies};
use super::simple::{self, Open, Simple};
use super::{Command, PASSED, Piece, Symbol};
use crate::expr::in_text;

/// How long what a program has left running in the background may take to end by itself.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

/// The declared version.
pub(super) const VERSION: u32 = 1;

/// What it does.
pub(super) const SUMMARY: &str = "Runs a program: a shell line, or an executable and its arguments.";

/// `exec/run`.
pub(super) struct Run;

impl Operation for Run {
    type Params = Command;

    fn spec(&self) -> Spec {
        Spec::new("run", VERSION, SUMMARY).doc(DOC)
    }

    fn run(&self, command: Command, context: &Context) -> Result<()> {
        let call = Call { command: &command, context, copies: Copies::make(&command, context)? };
        forms::clear(&command, context)?;
        let child = start(&call)?;
        let group = Pid::from_raw(child.id().cast_signed());
        let cancel = context.on_cancel(move || {
            // An error means that it has ended already.
            let _ = killpg(group, Signal::SIGTERM);
        });
        wait_without_reaping(group);
        drop(cancel);
        let (status, peak) = reap(group)?;
        context.program_held(peak);
        if clear_up(group) {
            context.warn("it ended but had left programs running in the background, which were killed");
        }
        if !status.success() {
            context.check_cancelled()?;
            return Err(ended(status));
        }
        drop(call);
        forms::take(&command, context)
    }
}

/// What a command is put together from.
struct Call<'a> {
    command: &'a Command,
    context: &'a Context,
    copies: Copies,
}

impl Call<'_> {
    /// The paths of an input, or of its copies in another form.
    fn paths(&self, name: &str) -> impl Iterator<Item = &Path> {
        let copies = self.copies.of(name);
        let own = self.context.inputs(name).iter().map(|input| input.path.as_path());
        let own = own.filter(move |_| copies.is_none());
        copies.into_iter().flatten().map(PathBuf::as_path).chain(own)
    }

    /// The folder in which programs are looked for first.
    fn bin(&self) -> Option<PathBuf> {
        self.command.environment_folder.as_ref().map(|folder| folder.join("bin"))
    }
}

const DOC: &str = "\
The stage declares its outputs: `outputs: { NAME: KIND }`, with the kinds file, folder, dataset, metrics and \
table. Its inputs may have any name and kind.

`run` is a line for `bash -euo pipefail`, or a list, which is run without a shell. It runs in the folder of the \
workflow file.

* `${{ inputs.NAME }}` is the path of an input; read it only. A collected input stands for one word each, and \
`${{ inputs.NAME.list }}` is a file with the paths, one a line.
* `${{ outputs.NAME }}` is the path at which to write an output.
* A dataset is given in another form by `inputs: { NAME: { from: STAGE.OUTPUT, as: netcdf } }`, or `as: npz`, and \
arrays in a file outside by `{ path: FILE, as: npz }`. For an \
output of the kind dataset the program may leave NetCDF-3, .npz, .npy or Zarr.
* Other expressions give their value. Each is exactly one word, whatever is in it; a list is one word each.

The program sees the environment variables that `env` lists, and PATH, HOME, USER, LOGNAME, TMPDIR, SHELL and \
the usual variables for the number of threads, which is `cpus` of the stage's `resources`. So the locale is `C` \
unless `env` lists LANG or LC_ALL.

A word of the command that names a file below the root folder, such as `scripts/fit.py`, is an input: when its \
content changes the stage runs again. `flow plan` shows these files; `untracked: [WORD]` leaves some out.

`environment: .venv` runs it in a virtual environment of Python, which counts by the version of Python and of every \
package in it.

```
clean:
  uses: exec/run
  inputs: { raw: { path: data/raw.txt } }
  with: { run: \"grep -v '^#' ${{ inputs.raw }} > ${{ outputs.clean }}\" }
  outputs: { clean: file }
```";

/// Starts the command.
fn start(call: &Call<'_>) -> Result<Child> {
    let folder = call.command.folder.as_deref().unwrap_or(Path::new("."));
    match &call.command.run {
        super::Run::Shell(pieces) => {
            let bash = find(OsStr::new("bash"), folder, None)?;
            if let Some(simple) = simple::read(pieces).filter(|_| !tells_the_shell(call.command))
                && let Some(child) = without_shell(&simple, &bash, call)?
            {
                return Ok(child);
            }
            let mut program = bare(&bash);
            let (script, values) = script(pieces, call)?;
            // The name is what bash puts before its messages.
            program.args(["-euo", "pipefail", "-c"]).arg(script).arg(call.context.node()).args(values);
            // Without SHELL bash would look the user up.
            program.env("SHELL", &bash);
            surround(&mut program, folder, call);
            spawn(&mut program).map_err(|error| not_started(bash.as_os_str(), &error))
        }
        super::Run::Arguments(arguments) => {
            let words = arguments_of(arguments, call)?;
            let (name, rest) = words.split_first().ok_or_else(|| Error::bad_input("the command is empty"))?;
            let mut program = bare(find(name, folder, call.bin().as_deref())?);
            program.args(rest);
            surround(&mut program, folder, call);
            spawn(&mut program).map_err(|error| not_started(program.get_program(), &error))
        }
    }
}

/// Whether the variables that the stage lists change what bash does with a line.
fn tells_the_shell(command: &Command) -> bool {
    let is_of_shell =
        |name: &String| name.starts_with("BASH") || name == "SHELLOPTS" || name == "POSIXLY_CORRECT";
    command.env.keys().any(is_of_shell)
}

/// Starts what needs no shell. `None` where something is wrong with it: the shell says what.
fn without_shell(simple: &Simple, bash: &Path, call: &Call<'_>) -> Result<Option<Child>> {
    let folder = call.command.folder.as_deref().unwrap_or(Path::new("."));
    let words = arguments_of(&simple.words, call)?;
    let Some((name, rest)) = words.split_first() else { return Ok(None) };
    let Some(path) = super::find_program(name, folder, call.bin().as_deref()) else {
        return Ok(None);
    };
    let mut program = bare(path);
    std::os::unix::process::CommandExt::arg0(&mut program, name);
    program.args(rest);
    // As bash would have set them.
    program.env("SHELL", bash).env("PWD", folder.canonicalize()?);
    surround(&mut program, folder, call);
    for (open, pieces) in &simple.files {
        let [file] = &argument(pieces, call)?[..] else { return Ok(None) };
        let mut options = std::fs::OpenOptions::new();
        match open {
            Open::Read => options.read(true),
            Open::Write => options.write(true).create(true).truncate(true),
            Open::Append => options.append(true).create(true),
        };
        let Ok(file) = options.open(folder.join(file)) else { return Ok(None) };
        match open {
            Open::Read => program.stdin(file),
            Open::Write | Open::Append => program.stdout(file),
        };
    }
    Ok(spawn(&mut program).ok())
}

fn arguments_of(arguments: &[Vec<Piece>], call: &Call<'_>) -> Result<Vec<OsString>> {
    let mut words = Vec::with_capacity(arguments.len());
    for pieces in arguments {
        words.extend(argument(pieces, call)?);
    }
    Ok(words)
}

fn spawn(program: &mut std::process::Command) -> io::Result<Child> {
    let _starting = processes::starting();
    program.spawn()
}

/// A program that sees no environment variables yet.
fn bare(path: impl AsRef<OsStr>) -> std::process::Command {
    let mut program = std::process::Command::new(path);
    program.env_clear();
    program
}

/// Sets what the program sees beside its arguments.
fn surround(program: &mut std::process::Command, folder: &Path, call: &Call<'_>) {
    let threads = call.context.threads().to_string();
    program
        .current_dir(folder)
        .envs(PASSED.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))))
        .envs(THREADS.iter().map(|name| (*name, &threads)))
        .envs(call.command.env.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))));
    for (name, _) in call.command.env.iter().filter(|(_, value)| value.is_none()) {
        program.env_remove(name);
    }
    if let Some(folder) = &call.command.environment_folder {
        program.envs(environment::active(folder));
    }
    // Standard output of a worker is its standard error, which is the node's log.
    std::os::unix::process::CommandExt::process_group(program, 0);
    program.stdin(Stdio::null()).stdout(Stdio::inherit()).stderr(Stdio::inherit());
}

/// What libraries read to know how many threads to start.
const THREADS: [&str; 5] = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
];

/// The script, and its arguments. Each reference is an array of the shell, which is filled from the arguments:
/// no value ever is a part of the script.
fn script(pieces: &[Piece], call: &Call<'_>) -> Result<(String, Vec<OsString>)> {
    let (mut head, mut body, mut values) = (String::new(), String::new(), Vec::new());
    let mut number = 0;
    for piece in pieces {
        let (symbol, quoted) = match piece {
            Piece::Text(text) => {
                body.push_str(text);
                continue;
            }
            Piece::Plain(symbol) => (symbol, false),
            Piece::Quoted { quoted } => (quoted, true),
        };
        let words = words(symbol, call)?;
        // On the line on which the command begins: messages of bash count lines.
        head += &format!("__flow_{number}=(\"${{@:{}:{}}}\");", values.len() + 1, words.len());
        let quote = if quoted { "" } else { "\"" };
        body += &format!("{quote}${{__flow_{number}[@]}}{quote}");
        values.extend(words);
        number += 1;
    }
    if number > 0 {
        head += "set --;";
    }
    Ok((head + &body, values))
}

/// The words that one argument comes to: one, unless a collection stands for it.
fn argument(pieces: &[Piece], call: &Call<'_>) -> Result<Vec<OsString>> {
    if let [Piece::Plain(symbol)] = pieces {
        return words(symbol, call);
    }
    let mut whole = OsString::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => whole.push(text),
            Piece::Plain(symbol) | Piece::Quoted { quoted: symbol } => {
                words(symbol, call)?.iter().for_each(|word| whole.push(word));
            }
        }
    }
    Ok(vec![whole])
}

fn words(symbol: &Symbol, call: &Call<'_>) -> Result<Vec<OsString>> {
    let texts = |value: &Value| -> Result<Vec<OsString>> {
        let items = match value {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        items.iter().map(|item| in_text(item).map(OsString::from).map_err(Error::bad_input)).collect()
    };
    match symbol {
        Symbol::Input(name) => Ok(call.paths(name).map(|path| path.as_os_str().to_owned()).collect()),
        Symbol::List(name) => Ok(vec![list(name, call)?.into_os_string()]),
        Symbol::Output(name) => Ok(vec![call.context.output(name)?.as_os_str().to_owned()]),
        Symbol::Value(value) => texts(value),
        Symbol::Resources(expression) => match call.command.resources.get(expression) {
            Some(value) => texts(value),
            None => Err(Error::failed(format!("the engine did not say what `{expression}` is"))),
        },
    }
}

/// Writes the paths of a collection to a file beside the outputs, which goes with the run's scratch folder.
fn list(name: &str, call: &Call<'_>) -> Result<PathBuf> {
    let path = forms::beside(call.context, &format!("{name}.list"));
    let mut file = io::BufWriter::new(std::fs::File::create(&path)?);
    for input in call.paths(name) {
        file.write_all(input.as_os_str().as_bytes())?;
        file.write_all(b"\n")?;
    }
    file.flush()?;
    Ok(path)
}

/// The executable that a command names: a path from the folder, or a name on the search path.
fn find(name: &OsStr, folder: &Path, first: Option<&Path>) -> Result<PathBuf> {
    super::find_program(name, folder, first).ok_or_else(|| {
        let name = name.to_string_lossy();
        Error::bad_input(format!("there is no program `{name}`"))
            .hint("is it installed, and in one of the folders of PATH?")
    })
}

fn not_started(name: &OsStr, error: &io::Error) -> Error {
    let message = format!("{} cannot be started: {error}", name.to_string_lossy());
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::E2BIG) => Error::bad_input(message).hint(
            "the paths of a large collection do not fit on a command line: `${{ inputs.NAME.list }}` is a file \
             of them",
        ),
        Some(Errno::ENOEXEC) => Error::bad_input(message).hint("a script starts with a line such as `#!/bin/sh`"),
        _ => Error::failed(message),
    }
}

/// Waits until the program has ended, but leaves it to be asked for its status: until then no other process
/// gets its number, and a signal meant for it reaches nobody else.
fn wait_without_reaping(program: Pid) {
    #[cfg(target_os = "linux")]
    {
        use nix::sys::wait::{Id, waitid};
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while waitid(Id::Pid(program), flags) == Err(Errno::EINTR) {}
    }
    #[cfg(not(target_os = "linux"))]
    let _ = program;
}

/// The program's status and the most memory that it, or a program that it waited for, held, in bytes.
fn reap(program: Pid) -> io::Result<(ExitStatus, u64)> {
    let mut status = 0;
    // SAFETY: all bit patterns of this plain structure of numbers are valid.
    let mut usage: nix::libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to living variables of the types that the call fills in.
        let found = unsafe { nix::libc::wait4(program.as_raw(), &raw mut status, 0, &raw mut usage) };
        if found == program.as_raw() {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    // Linux counts in KiB, macOS in bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    Ok((ExitStatus::from_raw(status), u64::try_from(usage.ru_maxrss).unwrap_or(0) * unit))
}

/// Waits for what the program has left behind, and kills what does not end. Says whether that was needed.
fn clear_up(group: Pid) -> bool {
    let patience = Instant::now() + LEFT_BEHIND;
    let mut killed = false;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) if killed || Instant::now() < patience => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Ok(WaitStatus::StillAlive) => {
                killed = true;
                let _ = killpg(group, Signal::SIGKILL);
                processes::kill_descendants(nix::unistd::getpid());
            }
            Ok(_) | Err(Errno::EINTR) => {}
            // There is none.
            Err(_) => return killed,
        }
    }
}

fn ended(status: ExitStatus) -> Error {
    let Some(code) = status.code() else {
        let number = status.signal().unwrap_or(0);
        let name = Signal::try_from(number).map_or("", Signal::as_str);
        let error = Error::failed(format!("the command was ended by signal {number} ({name})"));
        return if number == nix::libc::SIGKILL {
            error
                .hint("the system does so when memory runs out; `resources: { memory: … }` keeps others away")
        } else {
            error
        };
    };
    let error = Error::failed(format!("the command ended with exit status {code}"));
    match code {
        126 => error.hint("126 means that a file was found that cannot be run"),
        127 => error.hint("127 means that a program was not found: is it installed, and on PATH?"),
        141 => error.hint(
            "141 means that a program wrote to one that had stopped reading, such as `head`: add `|| true` where \
             that is meant",
        ),
        _ => error,
    }
}
