//! What a plugin author depends on.
//!
//! A plugin is a bundle of [`Operation`]s. An operation has typed parameters (a `serde` type from which the
//! JSON Schema is generated), typed input and output [`Port`]s, and a `run` function that reads its inputs
//! and writes its outputs through a [`Context`]. It never sees the store, the graph or SQLite.
//!
//! The same operations are served over the worker protocol ([`serve`]) whether they are built into the
//! `flow` binary or live in an executable of their own.

mod checkpoint;
mod context;
mod error;
pub mod measure;
mod operation;
mod plugin;
mod port;
pub mod processes;
pub mod protocol;
mod serve;
mod stop;
pub mod testing;

pub use checkpoint::{Checkpoints, State};
pub use context::{Context, Input, Level};
pub use error::{Error, ErrorKind, Result};
pub use flow_artifact as artifact;
pub use flow_artifact::{Digest, Kind};
pub use flow_figure as figure;
pub use operation::{Checked, DynOperation, Function, Operation, ParamProblem, Spec};
pub use plugin::Plugin;
pub use port::{Multiplicity, Port, VariableType};
pub use serve::{serve, serve_on};
pub use stop::OnCancel;

pub use schemars;
pub use serde;
pub use serde_json;

/// What the guide for authors shows compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/how-to/write-a-plugin-in-rust.md")]
struct Guide;
