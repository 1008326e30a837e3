//! Axes: from numbers to positions, and where the ticks are.

/// How numbers are spread along an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences, equal distances.
    #[default]
    Linear,
    /// Equal ratios, equal distances. Numbers that are not positive are left out.
    Log,
}

/// A labelled position on an axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    pub(crate) value: f64,
    /// Empty for a minor tick.
    pub(crate) label: String,
}

/// A range of numbers, spread on a scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Axis {
    pub(crate) scale: Scale,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Axis {
    /// An axis that covers some numbers.
    pub(crate) fn covering(scale: Scale, values: impl Iterator<Item = f64>) -> Self {
        let usable = |v: &f64| v.is_finite() && (scale == Scale::Linear || *v >= f64::MIN_POSITIVE);
        let (low, high) = values
            .filter(usable)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        let (low, high) = match (low <= high, scale) {
            (false, Scale::Linear) => (0.0, 1.0),
            (false, Scale::Log) => (1.0, 10.0),
            // One number only: room on both sides.
            (true, Scale::Linear) if low == high => {
                let room = if low == 0.0 { 1.0 } else { low.abs() * 0.5 };
                (low - room, high + room)
            }
            (true, Scale::Log) if low == high => (least(low / 2.0), most(high * 2.0)),
            (true, _) => (low, high),
        };
        Self { scale, low, high }
    }

    /// The same axis with a little room at both ends.
    pub(crate) fn with_room(self, share: f64) -> Self {
        let room = (self.position(self.high) - self.position(self.low)) * share;
        match self.scale {
            Scale::Linear => {
                let room = (self.high - self.low) * room;
                // An axis of numbers that are all of one sign does not cross zero just for the room.
                let low = if self.low >= 0.0 { (self.low - room).max(0.0) } else { self.low - room };
                let high = if self.high <= 0.0 { (self.high + room).min(0.0) } else { self.high + room };
                Self { low, high, ..self }
            }
            Scale::Log => {
                let ratio = self.high / self.low;
                let factor = if ratio.is_normal() {
                    libm::pow(ratio, room)
                } else {
                    libm::pow(10.0, room * decades(self.low, self.high))
                };
                Self { low: least(self.low / factor), high: most(self.high * factor), ..self }
            }
        }
    }

    /// Where a number is: 0 at the low end, 1 at the high one. NaN where it has no place.
    pub(crate) fn position(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log if value <= 0.0 => f64::NAN,
            Scale::Log => decades(self.low, value) / decades(self.low, self.high),
        }
    }

    /// The number at a position: the inverse of [`Axis::position`].
    pub(crate) fn value(&self, position: f64) -> f64 {
        match self.scale {
            Scale::Linear => self.low + position * (self.high - self.low),
            Scale::Log => between(self.low, self.high, position),
        }
    }

    /// About `count` ticks at round numbers.
    pub(crate) fn ticks(&self, count: usize) -> Vec<Tick> {
        match self.scale {
            Scale::Linear => self.linear_ticks(count),
            Scale::Log => self.log_ticks(count),
        }
    }

    fn linear_ticks(&self, count: usize) -> Vec<Tick> {
        let raw = (self.high - self.low) / count.max(1) as f64;
        let power = libm::pow(10.0, libm::floor(libm::log10(raw)));
        let step =
            power * [1.0, 2.0, 2.5, 5.0].into_iter().find(|s| raw <= s * power * 1.001).unwrap_or(10.0);
        if !(step > 0.0 && step.is_finite()) {
            return Vec::new();
        }
        let first = libm::ceil(self.low / step - 1e-9);
        let last = libm::floor(self.high / step + 1e-9);
        // At most a few: the step is about the range divided by the count.
        let ticks = (0..=(last - first).clamp(0.0, 100.0) as u32).map(|n| (first + f64::from(n)) * step);
        let digits = if step >= 1.0 {
            0
        } else {
            (-libm::floor(libm::log10(step)) as usize) + usize::from(step / power == 2.5)
        };
        ticks.map(|value| Tick { value, label: label(value, step, digits) }).collect()
    }

    fn log_ticks(&self, count: usize) -> Vec<Tick> {
        let decade = |value: f64| libm::floor(libm::log10(value) + 1e-9) as i32;
        let (first, last) = (decade(self.low), decade(self.high));
        let within = |v: f64| v >= self.low * (1.0 - 1e-9) && v <= self.high * (1.0 + 1e-9);
        let decades = (first..=last).filter(|&e| within(power(e))).count();
        let every = (decades.div_ceil(count.max(1)) as i32).max(1);
        let mut ticks = Vec::new();
        for exponent in first..=last {
            for digit in 1..10 {
                let value = power(exponent) * f64::from(digit);
                if !within(value) {
                    continue;
                }
                let labelled = match digit {
                    1 => exponent.rem_euclid(every) == 0,
                    2 | 5 => decades <= 2,
                    3 => decades == 0,
                    _ => decades == 0 && self.high / self.low < 3.0,
                };
                if labelled {
                    ticks.push(Tick { value, label: scientific(value) });
                } else if every == 1 && decades <= 8 || digit == 1 {
                    ticks.push(Tick { value, label: String::new() });
                }
            }
        }
        ticks
    }
}

/// The low end of a logarithmic axis: above zero, whatever was divided.
fn least(value: f64) -> f64 {
    value.max(f64::MIN_POSITIVE)
}

/// The high end: finite, whatever was multiplied.
fn most(value: f64) -> f64 {
    value.min(f64::MAX)
}

/// `log10(high / low)`, also where the ratio is too large for a number or too small.
fn decades(low: f64, high: f64) -> f64 {
    let ratio = high / low;
    if ratio.is_normal() { libm::log10(ratio) } else { libm::log10(high) - libm::log10(low) }
}

/// `low (high / low)^position`, likewise.
fn between(low: f64, high: f64, position: f64) -> f64 {
    let ratio = high / low;
    if ratio.is_normal() {
        low * libm::pow(ratio, position)
    } else {
        most(libm::pow(10.0, libm::log10(low) + position * decades(low, high)))
    }
}

fn power(exponent: i32) -> f64 {
    libm::pow(10.0, f64::from(exponent))
}

fn label(value: f64, step: f64, digits: usize) -> String {
    let size = value.abs().max(step);
    if (1e-4..1e6).contains(&size) || value == 0.0 {
        return minus(format!("{value:.digits$}"));
    }
    scientific(value)
}

/// A number for people: plain where that is short, else with a power of ten.
pub(crate) fn scientific(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return minus(format!("{value}"));
    }
    let mut exponent = libm::floor(libm::log10(value.abs())) as i32;
    let mut mantissa = value / power(exponent);
    if mantissa.abs() >= 9.995 {
        mantissa /= 10.0;
        exponent += 1;
    }
    let trim = |text: String| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    };
    if (-3..5).contains(&exponent) {
        return minus(trim(format!("{value:.*}", (2 - exponent).max(0) as usize)));
    }
    let raised: String = exponent
        .to_string()
        .chars()
        .map(|c| match c {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            // The remaining superscript digits follow one another.
            digit => char::from_u32(0x2070 + digit as u32 - '0' as u32).unwrap_or(digit),
        })
        .collect();
    match trim(format!("{mantissa:.2}")).as_str() {
        "1" => format!("10{raised}"),
        mantissa => minus(format!("{mantissa}×10{raised}")),
    }
}

fn minus(text: String) -> String {
    text.replace('-', "−")
}
