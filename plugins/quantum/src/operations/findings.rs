//! What a comparison shows, in words: what the quantum method adds, and what it does not.

use flow_plugin::serde_json::{Map, Value};

/// A way to find cuts, with what it cost.
pub(super) struct Method {
    pub(super) name: &'static str,
    pub(super) mean: f64,
    pub(super) best: f64,
    /// CPU seconds of a run.
    pub(super) cpu: f64,
}

/// The methods that the circuit is compared with.
pub(super) struct Compared<'a> {
    pub(super) starts: usize,
    pub(super) circuit: &'a Method,
    pub(super) annealing: &'a Method,
    pub(super) direct: Option<&'a Method>,
    /// The best of the hyperplanes.
    pub(super) hyperplanes: f64,
    pub(super) bound: f64,
    pub(super) known: Option<f64>,
}

/// A sentence or two on each question that the comparison answers.
pub(super) fn findings(compared: &Compared<'_>, resources: Option<&Map<String, Value>>) -> Vec<String> {
    let mut all = vec![reached(compared), against_annealing(compared)];
    all.extend(compared.direct.map(|direct| without_circuit(compared.circuit, direct)));
    all.extend(resources.and_then(on_a_device));
    all
}

fn reached(compared: &Compared<'_>) -> String {
    let cut = compared.circuit.mean;
    let over = |value: f64, of: &str| (value > 0.0).then(|| format!("{:.3} of {of}", cut / value));
    let ratios = [
        over(compared.hyperplanes, "the best cut by random hyperplanes"),
        over(compared.bound, "the bound that no cut exceeds"),
        compared.known.and_then(|known| over(known, "the best cut published")),
    ];
    let ratios: Vec<String> = ratios.into_iter().flatten().collect();
    let starts = match compared.starts {
        1 => "one start".to_owned(),
        n => format!("{n} starts, on average"),
    };
    let said = if ratios.is_empty() { "there is nothing to cut".to_owned() } else { ratios.join(", ") };
    format!(
        "What the circuit reaches: {cut:.1} from {starts}, in the last epoch, without any polish: {said}."
    )
}

fn against_annealing(compared: &Compared<'_>) -> String {
    let (circuit, annealing) = (compared.circuit, compared.annealing);
    let verdict = if annealing.mean > circuit.mean {
        "It cuts more: who wants a cut should anneal."
    } else if annealing.mean == circuit.mean {
        "It cuts as much."
    } else {
        "It cuts less here."
    };
    format!(
        "Against simulated annealing: that cuts {:.1} on average{}. {verdict}",
        annealing.mean,
        times(annealing.cpu, circuit.cpu)
    )
}

fn without_circuit(circuit: &Method, direct: &Method) -> String {
    let verdict = if direct.mean >= circuit.mean {
        "The circuit adds no better cut, but a way to hold a number for each vertex on few qubits."
    } else {
        "The circuit's cuts are larger, on a simulator; nothing in them is quantum there."
    };
    let cut = direct.mean;
    format!(
        "The same loss without a circuit: {cut:.1} on average{}. {verdict}",
        times(direct.cpu, circuit.cpu)
    )
}

/// CPU times of a run and of one of the circuit's, where they are known.
fn times(own: f64, circuit: f64) -> String {
    if own.is_finite() && circuit.is_finite() {
        format!(", in {own:.2} CPU seconds a run where the circuit takes {circuit:.2}")
    } else {
        String::new()
    }
}

fn on_a_device(resources: &Map<String, Value>) -> Option<String> {
    let of = |name: &str| resources.get(name).and_then(Value::as_f64);
    let signal = of("signal")?;
    let signal = if signal < 1e-3 { format!("{signal:.0e}") } else { format!("{signal:.3}") };
    Some(format!(
        "On a device: {} qubits and {} circuits for a value of the loss; for a gradient by moved angles {} circuits, each \
         measured {} times for an error of a hundredth. At an error of 0.001 a gate on two qubits {signal} of the signal is \
         left after the {} such gates of the state.",
        of("qubits")? + of("ancillas")?,
        of("circuits_per_value")?,
        of("circuits_per_epoch")?,
        of("shots_per_circuit")?,
        of("two_qubit_gates")?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_plugin::serde_json::json;

    fn method(mean: f64, cpu: f64) -> Method {
        Method { name: "", mean, best: mean, cpu }
    }

    /// Each verdict follows from the numbers.
    #[test]
    fn sentences_follow_the_numbers() {
        let (circuit, better, worse) = (method(540.0, 0.3), method(550.0, 0.01), method(530.0, f64::NAN));
        let compared = |annealing, direct, known| Compared {
            starts: 5,
            circuit: &circuit,
            annealing,
            direct: Some(direct),
            hyperplanes: 500.0,
            bound: 600.0,
            known,
        };
        let said = findings(&compared(&better, &worse, None), None);
        assert_eq!(
            said,
            [
                "What the circuit reaches: 540.0 from 5 starts, on average, in the last epoch, without any polish: 1.080 of \
                 the best cut by random hyperplanes, 0.900 of the bound that no cut exceeds.",
                "Against simulated annealing: that cuts 550.0 on average, in 0.01 CPU seconds a run where the circuit takes \
                 0.30. It cuts more: who wants a cut should anneal.",
                "The same loss without a circuit: 530.0 on average. The circuit's cuts are larger, on a simulator; nothing in \
                 them is quantum there.",
            ]
        );
        let resources = json!({ "qubits": 10, "ancillas": 1, "circuits_per_value": 2, "circuits_per_epoch": 9600,
            "shots_per_circuit": 10_000.0, "signal": 0.301, "two_qubit_gates": 1200 });
        let said = findings(&compared(&worse, &better, Some(540.0)), resources.as_object());
        assert!(said[0].ends_with("exceeds, 1.000 of the best cut published."), "{}", said[0]);
        assert!(said[1].ends_with("on average. It cuts less here."), "{}", said[1]);
        assert!(said[2].contains("adds no better cut"), "{}", said[2]);
        assert_eq!(
            said[3],
            "On a device: 11 qubits and 2 circuits for a value of the loss; for a gradient by moved angles 9600 circuits, each \
             measured 10000 times for an error of a hundredth. At an error of 0.001 a gate on two qubits 0.301 of the signal \
             is left after the 1200 such gates of the state."
        );
        let nothing = Compared { hyperplanes: 0.0, bound: 0.0, ..compared(&better, &worse, None) };
        assert!(findings(&nothing, None)[0].ends_with("there is nothing to cut."));
    }
}
