use flow_plugin::Kind;
use flow_plugin::artifact::metrics::{number, read_metrics};
use flow_plugin::artifact::table::{Column, Table};

use super::*;

#[test]
fn the_ledger_finds_the_cost_at_the_surrogates_error() {
    let prepared = Prepared::new(8, 3);
    let path = |name: &str| prepared.path(name);
    let scores = json!({ "surrogate": { "saturation_plume_mpe": 0.5, "pressure_mre": 0.5 } });
    std::fs::write(path("scores"), scores.to_string()).unwrap();
    std::fs::write(path("inference"), json!({ "seconds_per_sample": 1e-6 }).to_string()).unwrap();
    let done = prepared
        .trial("ledger")
        .input("scores", Kind::Metrics, path("scores"))
        .input("inference", Kind::Metrics, path("inference"))
        .params(json!({ "cases": 2, "levels": [{ "rings": 2, "rows": 1, "steps": 3.0 }] }))
        .run(&Ledger)
        .unwrap();
    let levels = Table::read(done.output("levels")).unwrap();
    let Some(Column::Float(errors)) = levels.column("plume_mpe") else { panic!("no errors") };
    // The first level is full accuracy: the stored solutions, but for their single precision.
    assert!(errors[0] < 1e-6 && errors[1] > 1e-3, "{errors:?}");
    assert_eq!(levels.column("failed"), Some(&Column::Int(vec![0, 0])));
    let metrics = read_metrics(done.output("metrics")).unwrap();
    let value = |name: &str| number(&metrics[name]).unwrap();
    assert!(value("simulator_full_s") > 0.0);
    // So large an error is had at the cost of the cheapest level.
    assert!(value("simulator_equal_error_s") > 0.0);
    assert!(value("surrogate_s") >= value("surrogate_inference_s") + value("surrogate_encode_s") - 1e-12);
    // In a test nothing is known of what the inputs cost.
    assert!(value("generation_s").is_nan());
    let accounts = Table::read(done.output("accounts")).unwrap();
    assert!(
        (0..accounts.rows()).any(|row| accounts.column("account").unwrap().text(row) == "published: U-FNO")
    );
}
