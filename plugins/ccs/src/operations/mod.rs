//! The operations of the plugin: thin layers over the libraries beside them.

mod case;
mod compare;
mod encode;
mod evaluate;
mod geology;
mod ledger;
mod simulate;

pub(crate) use case::Case;
pub(crate) use compare::Compare;
pub(crate) use encode::Encode;
pub(crate) use evaluate::Evaluate;
pub(crate) use geology::Geology;
pub(crate) use ledger::Ledger;
pub(crate) use simulate::Simulate;

#[cfg(test)]
mod tests;
