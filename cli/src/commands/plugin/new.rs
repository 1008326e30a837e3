//! `flow plugin new`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;

use super::super::Failure;

/// Arguments of `flow plugin new`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow plugin new waves                in Python: a file of functions
  flow plugin new waves --lang rust    in Rust: a crate

A folder of this name is made, with an operation to change into yours, a workflow that uses it, and a test.")]
pub(crate) struct Args {
    /// What the plugin is called: what stands before the slash in `NAME/operation`
    name: String,
    /// The language
    #[arg(long, value_enum, default_value_t = Language::Python)]
    lang: Language,
    /// Rust: where the crate `flow-plugin` lies [default: where this program was built]
    #[arg(long, value_name = "DIR")]
    api: Option<PathBuf>,
}

/// What a plugin is written in.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Language {
    /// A file of functions
    Python,
    /// A crate
    Rust,
}

/// By path in the new folder: what is written there. `NAME` stands for the plugin's name, `API` for the crate.
const PYTHON: [(&str, &str); 5] = [
    ("NAME.py", include_str!("templates/plugin.py")),
    ("test_NAME.py", include_str!("templates/test_plugin.py")),
    ("workflow.yaml", include_str!("templates/python.yaml")),
    ("requirements.txt", "numpy\n"),
    (".gitignore", "__pycache__/\n/.flow\n/.venv\n"),
];

const RUST: [(&str, &str); 4] = [
    ("Cargo.toml", include_str!("templates/Cargo.toml.in")),
    ("src/main.rs", include_str!("templates/main.rs.in")),
    ("workflow.yaml", include_str!("templates/rust.yaml")),
    (".gitignore", "/target\n/.flow\n"),
];

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let name = &args.name;
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !fits {
        return Err(Failure::request(format_args!("`{name}` cannot be the name of a plugin"))
            .hint("names start with a small letter and go on with small letters, digits and `_`"));
    }
    let folder = Path::new(name);
    if folder.exists() {
        return Err(Failure::request(format_args!("there is a `{name}` here already")));
    }
    let api = match (args.lang, &args.api) {
        (Language::Python, _) => PathBuf::new(),
        (Language::Rust, Some(api)) => api.canonicalize().map_err(|error| {
            Failure::request(format_args!("the crate in {} cannot be found: {error}", api.display()))
        })?,
        (Language::Rust, None) => Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/plugin"),
    };
    if args.lang == Language::Rust && !api.join("Cargo.toml").is_file() {
        return Err(Failure::request(format_args!("there is no crate `flow-plugin` in {}", api.display()))
            .hint("name its folder with --api DIR: `core/plugin` in a copy of flow's repository"));
    }
    let api = api.canonicalize().unwrap_or(api);
    let (files, next): (&[(&str, &str)], &str) = match args.lang {
        Language::Python => (&PYTHON, "flow run workflow.yaml"),
        Language::Rust => (&RUST, "cargo build --release\n  flow run workflow.yaml"),
    };
    for (path, text) in files {
        let path = folder.join(path.replace("NAME", name));
        let text = text.replace("NAME", name).replace("API", &api.to_string_lossy());
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text));
        written.map_err(Failure::system)?;
        anstream::println!("wrote {}", path.display());
    }
    anstream::println!("\nNext:\n  cd {name}\n  {next}\n  flow plugin check workflow.yaml");
    Ok(ExitCode::SUCCESS)
}
