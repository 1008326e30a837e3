//! The plugins compiled into this binary. Each is a cargo feature, all on by default.

use flow_plugin::Plugin;

/// Every built-in plugin, sorted by name.
pub(crate) fn builtin() -> Vec<Plugin> {
    vec![
        #[cfg(feature = "ccs")]
        flow_ccs::plugin(),
        #[cfg(feature = "data")]
        flow_data::plugin(),
        #[cfg(feature = "demo")]
        flow_demo::plugin(),
        flow_engine::exec::plugin(),
        #[cfg(feature = "operators")]
        flow_operators::plugin(),
        #[cfg(feature = "quantum")]
        flow_quantum::plugin(),
    ]
}
