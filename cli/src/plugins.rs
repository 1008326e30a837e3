//! The plugins compiled into this program. Those that come with it are cargo features, all on by default.

use std::sync::OnceLock;

use flow_plugin::Plugin;

/// What a program of somebody's own has added. Set once, before anything else.
static OWN: OnceLock<Vec<Plugin>> = OnceLock::new();

/// Adds plugins to those that come with this program.
pub(crate) fn add(own: Vec<Plugin>) {
    // Only a second call of `main` in one process would find it set, and that has the plugins of the first.
    let _ = OWN.set(own);
}

/// Every built-in plugin.
pub(crate) fn builtin() -> Vec<Plugin> {
    let own = OWN.get().map_or(&[] as &[Plugin], Vec::as_slice);
    let ours = [
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
    ];
    let replaced = |plugin: &Plugin| own.iter().any(|other| other.name() == plugin.name());
    let mut plugins: Vec<Plugin> = ours.into_iter().filter(|plugin| !replaced(plugin)).collect();
    plugins.extend_from_slice(own);
    plugins.sort_by(|a, b| a.name().cmp(b.name()));
    plugins
}
