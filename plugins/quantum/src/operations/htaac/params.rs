//! Parameters of `quantum/htaac`, and the settings they stand for.

use flow_plugin::ParamProblem;
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};

use crate::circuit::Noise;
use crate::graph::Graph;
use crate::htaac::{Constraints, Gradient, Objective, Problem, Settings, Shots};

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident),* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(crate = "flow_plugin::serde", rename_all = "snake_case")]
        pub(super) enum $name { $($(#[$variant_doc])* $variant),* }
    };
}

choice!(
    /// Settings that go together.
    Preset {
        /// The rule without tuning: the collision loss.
        TuningFree,
        /// Those of the published example.
        Paper
    }
);
choice!(
    /// The constraints on the probabilities.
    LossKind {
        /// As published: strings of one or two Z, and population balancing.
        Authors,
        /// All strings of Z at once, as the probability that two measurements agree.
        Collision
    }
);
choice!(
    /// How W enters.
    ObjectiveKind {
        /// `α ψᵀWψ`.
        Linear,
        /// `Im⟨ψ|exp(iαW)|ψ⟩` as the Hadamard test measures it.
        HadamardExact,
        /// The same by simulating the ancilla's circuit, up to 8 qubits.
        HadamardCircuit
    }
);
choice!(
    /// How gradients are found.
    GradientKind {
        /// By undoing the circuit.
        Adjoint,
        /// By moving each angle, as hardware does.
        ParameterShift,
        /// By moving all angles at random.
        Spsa
    }
);
choice!(
    /// How long the circuit is.
    Depth {
        /// 2.34 angles for each amplitude as far as 2,400 layers do, else 1.1.
        Standard,
        /// 1.41 times as many layers.
        Deep
    }
);
choice!(
    /// What the angles steer.
    AnsatzKind {
        /// Layers of rotations and controlled-Z gates.
        Brick,
        /// No circuit: the amplitudes are trained themselves. For comparison.
        None
    }
);
choice!(
    /// The numbers amplitudes are held in.
    Precision {
        /// Single precision.
        F32,
        /// Double precision.
        F64
    }
);

/// When a run ends early.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct Plateau {
    /// Over so many epochs
    #[schemars(range(min = 1, max = 1_000_000))]
    epochs: usize,
    /// the loss has changed by less than this share of itself.
    #[schemars(range(min = 0, max = 1))]
    change: f64,
}

/// How often each circuit is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", untagged)]
pub(super) enum ShotsParam {
    /// As often for every term of the loss.
    Each(#[schemars(range(min = 2, max = 100_000_000))] usize),
    /// As often as its term says.
    Terms(Terms),
}

/// How often the circuits of each term of the loss are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(super) struct Terms {
    /// The Hadamard test of W.
    #[schemars(range(min = 1, max = 100_000_000))]
    objective: usize,
    /// The measurement of all qubits, for the constraints.
    #[schemars(range(min = 2, max = 100_000_000))]
    constraints: usize,
    /// The second Hadamard test of the authors' loss; as often as that of W if left out.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100_000_000))]
    population: Option<usize>,
}

/// What goes wrong on a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields, default)]
pub(super) struct NoiseParam {
    /// Probability that a qubit is depolarised after a gate on it.
    #[schemars(range(min = 0, max = 1))]
    depolarizing: f64,
    /// Probability that |1⟩ falls to |0⟩ after a gate on it.
    #[schemars(range(min = 0, max = 1))]
    damping: f64,
    /// Probability that a bit is read wrongly.
    #[schemars(range(min = 0, max = 1))]
    readout: f64,
}

/// Parameters of `quantum/htaac`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct HtaacParams {
    /// What the other parameters are where they are left out.
    #[serde(default = "tuning_free")]
    preset: Preset,
    /// Runs from different start angles.
    #[serde(default = "restarts")]
    #[schemars(range(min = 1, max = 10_000))]
    pub(super) restarts: usize,
    /// The seed of the first run's start angles; the others follow.
    #[serde(default)]
    pub(super) seed: u64,
    /// The constraints on the probabilities.
    #[serde(default)]
    loss: Option<LossKind>,
    /// Weight of the collision loss: at the start in units of α ‖W‖, at the end in units of α |λ_min(W)|.
    #[serde(default)]
    weight: Option<[f64; 2]>,
    /// Weight of the authors' strings of Z, in units of α over their number.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1e9))]
    coefficient: Option<f64>,
    /// Divides the differences of degrees in the authors' population balancing.
    #[serde(default)]
    #[schemars(range(min = 1e-6, max = 1e9))]
    regulariser: Option<f64>,
    /// How W enters.
    #[serde(default)]
    objective: Option<ObjectiveKind>,
    /// The factor in front of W; the smaller of 1 / |λ_min(W)| and 1.8 / ‖W‖ if left out.
    #[serde(default)]
    #[schemars(range(min = 1e-9, max = 1e9))]
    alpha: Option<f64>,
    /// How gradients are found: `adjoint` if left out, with shots `parameter_shift`.
    #[serde(default)]
    gradient: Option<GradientKind>,
    /// How often each circuit is run; if left out, means and probabilities are known exactly. A number, or one for each
    /// term: `{ objective: 10000, constraints: 1000 }`.
    #[serde(default)]
    shots: Option<ShotsParam>,
    /// What goes wrong on a device: `{ depolarizing: 0.001, damping: 0.001, readout: 0.01 }`. Noise of gates is that of the
    /// circuit that prepares the state, up to 8 qubits; wrong readings are also those of the ancilla.
    #[serde(default)]
    noise: NoiseParam,
    /// What the angles steer.
    #[serde(default = "brick")]
    ansatz: AnsatzKind,
    /// How long the circuit is, if `layers` does not say it.
    #[serde(default = "standard")]
    depth: Depth,
    /// Layers of rotations.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000))]
    layers: Option<usize>,
    /// Steps of the optimiser.
    #[serde(default = "epochs")]
    #[schemars(range(max = 1_000_000))]
    pub(super) epochs: usize,
    /// Step length: 0.02 if left out; 0.01 for the published settings, 0.5 without a circuit.
    #[serde(default)]
    #[schemars(range(min = 1e-9, max = 10))]
    rate: Option<f64>,
    /// Ends a run early.
    #[serde(default)]
    plateau: Option<Plateau>,
    /// The numbers amplitudes are held in.
    #[serde(default = "f32")]
    pub(super) precision: Precision,
}

fn tuning_free() -> Preset {
    Preset::TuningFree
}

fn restarts() -> usize {
    5
}

fn brick() -> AnsatzKind {
    AnsatzKind::Brick
}

fn standard() -> Depth {
    Depth::Standard
}

fn epochs() -> usize {
    300
}

fn f32() -> Precision {
    Precision::F32
}

/// The step length without a circuit: the numbers at the start are of order one, and much smaller or larger steps cost
/// cuts.
const DIRECT_RATE: f64 = 0.5;

impl Precision {
    /// Bytes of a number.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

impl HtaacParams {
    /// Whether measurements are imitated, which the linear form is none of.
    fn measured(&self) -> bool {
        self.shots.is_some() || self.noise != NoiseParam::default()
    }

    fn gradient(&self) -> GradientKind {
        let default = if self.shots.is_some() { GradientKind::ParameterShift } else { GradientKind::Adjoint };
        self.gradient.unwrap_or(default)
    }

    /// What cannot be together.
    pub(super) fn check(&self) -> Vec<ParamProblem> {
        let mut problems = Vec::new();
        let mut problem = |at: &str, message: &str, hint: Option<&str>| {
            let hint = hint.map(str::to_owned);
            problems.push(ParamProblem { at: at.into(), message: message.into(), hint });
        };
        if self.weight.is_some_and(|[start, end]| !(start > 0.0 && end > 0.0)) {
            problem("weight", "both weights must be positive", None);
        }
        let direct = self.ansatz == AnsatzKind::None;
        if direct && self.gradient() == GradientKind::ParameterShift && self.shots.is_none() {
            problem("gradient", "without a circuit there are no angles to move", Some("use `adjoint`"));
        }
        if direct && self.measured() {
            let at = if self.shots.is_some() { "shots" } else { "noise" };
            problem(at, "without a circuit there is nothing to measure", Some("use `ansatz: brick`"));
        }
        if self.shots.is_some() && self.gradient == Some(GradientKind::Adjoint) {
            let message = "the adjoint gradient undoes the circuit, which no number of shots does";
            problem("gradient", message, Some("use `parameter_shift` or `spsa`"));
        }
        if self.measured() && self.objective == Some(ObjectiveKind::Linear) {
            let message = "the linear form is computed, not measured, so shots and noise do not apply to it";
            problem("objective", message, Some("use `hadamard_exact`"));
        }
        problems
    }

    /// The settings for a graph.
    pub(super) fn settings(&self, graph: &Graph) -> Settings {
        let (paper, direct) = (self.preset == Preset::Paper, self.ansatz == AnsatzKind::None);
        let loss = self.loss.unwrap_or(if paper { LossKind::Authors } else { LossKind::Collision });
        let factor = match self.depth {
            Depth::Standard => 1.0,
            Depth::Deep => 1.41,
        };
        let preset = if paper {
            Settings::published()
        } else {
            Settings { layers: Problem::layers(graph, factor), ..Settings::default() }
        };
        let constraints = match loss {
            LossKind::Authors => Constraints::Authors {
                coefficient: self.coefficient.unwrap_or(100.0),
                regulariser: self.regulariser.unwrap_or(1.2),
            },
            LossKind::Collision => {
                let rule = Settings::default().constraints;
                self.weight.map_or(rule, |[start, end]| Constraints::Collision { start, end })
            }
        };
        let objective = self.objective.unwrap_or(if paper && !self.measured() {
            ObjectiveKind::Linear
        } else {
            ObjectiveKind::HadamardExact
        });
        Settings {
            circuit: !direct,
            layers: self.layers.unwrap_or(preset.layers),
            objective: match objective {
                ObjectiveKind::Linear => Objective::Linear,
                ObjectiveKind::HadamardExact => Objective::HadamardExact,
                ObjectiveKind::HadamardCircuit => Objective::HadamardCircuit,
            },
            constraints,
            alpha: self.alpha.or(preset.alpha),
            shots: self.shots.map(|shots| match shots {
                ShotsParam::Each(n) => Shots { objective: n, population: n, constraints: n },
                ShotsParam::Terms(terms) => Shots {
                    objective: terms.objective,
                    population: terms.population.unwrap_or(terms.objective),
                    constraints: terms.constraints,
                },
            }),
            noise: Noise {
                depolarizing: self.noise.depolarizing,
                damping: self.noise.damping,
                readout: self.noise.readout,
            },
            gradient: match self.gradient() {
                GradientKind::Adjoint => Gradient::Adjoint,
                GradientKind::ParameterShift => Gradient::ParameterShift,
                GradientKind::Spsa => Gradient::Spsa,
            },
            epochs: self.epochs,
            rate: self.rate.unwrap_or(if direct { DIRECT_RATE } else { preset.rate }),
            decay: direct || preset.decay,
            beta2: preset.beta2,
            amsgrad: preset.amsgrad,
            plateau: self.plateau.map(|p| (p.epochs, p.change)),
        }
    }
}
