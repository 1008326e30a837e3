//! The operations of the plugin: thin layers over the libraries beside them.

mod graph;

pub(crate) use graph::GraphOperation;
