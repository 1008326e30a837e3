//! The engine: from a workflow file to recorded results.
//!
//! The data flows one way, and each module is one step of it:
//!
//! 1. [`workflow`] reads YAML, keeps positions, evaluates expressions, expands matrices, checks everything
//!    against the [`catalog`] of operations, and gives a [`graph::Graph`] or a list of diagnostics.
//! 2. `plan` computes keys and asks the store what is cached and what must run, and why.
//! 3. `run` dispatches ready nodes to workers and commits what they bring; everything that happens is one
//!    stream of events, which the terminal, JSON lines, the store and the report are made from.

pub mod catalog;
pub mod describe;
pub mod diagnostics;
pub mod diff;
pub mod event;
pub mod exec;
pub mod expr;
mod external;
pub mod graph;
pub mod graph_view;
pub mod growth;
mod host;
pub mod human;
pub mod key;
pub mod plan;
pub mod report;
pub mod ro_crate;
pub mod run;
pub mod select;
pub mod sweep;
mod unite;
pub mod variants;
pub mod workflow;
