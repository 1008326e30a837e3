//! Colours and colour maps.

/// A colour of a scene. The first four follow the page where a drawing is part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Text and data without a colour of their own.
    Ink,
    /// Secondary text, axes.
    Muted,
    /// Grid lines.
    Grid,
    /// The background.
    Paper,
    /// Red, green, blue.
    Rgb(u8, u8, u8),
}

impl Color {
    /// The colour of the n-th series: distinguishable also with colour-blindness (after Okabe and Ito 2008,
    /// slightly darkened for thin lines on white).
    #[must_use]
    pub fn series(n: usize) -> Self {
        const CYCLE: [(u8, u8, u8); 8] = [
            (0x1f, 0x6f, 0xb5),
            (0xd9, 0x5f, 0x02),
            (0x1b, 0x93, 0x6e),
            (0xb8, 0x3f, 0x86),
            (0x6a, 0x5a, 0xb8),
            (0xc2, 0x8a, 0x06),
            (0x3f, 0xa7, 0xd6),
            (0x7a, 0x5c, 0x43),
        ];
        let (r, g, b) = CYCLE[n % CYCLE.len()];
        Self::Rgb(r, g, b)
    }

    /// Red, green and blue on a white page.
    #[must_use]
    pub fn rgb(self) -> [u8; 3] {
        match self {
            Self::Ink => [0x1d, 0x23, 0x2e],
            Self::Muted => [0x5f, 0x68, 0x76],
            Self::Grid => [0xe4, 0xe7, 0xec],
            Self::Paper => [0xff, 0xff, 0xff],
            Self::Rgb(r, g, b) => [r, g, b],
        }
    }
}

/// How numbers become colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorMap {
    /// Perceptually uniform, dark blue over green to yellow (viridis). For amounts.
    #[default]
    Sequential,
    /// Perceptually uniform, black over magenta to pale yellow (magma). For sizes of errors.
    Magnitude,
    /// Blue over white to red, white at zero. For signed differences.
    Diverging,
}

/// What masked and missing values look like.
pub(crate) const MASKED: [u8; 3] = [0xc9, 0xcd, 0xd3];

impl ColorMap {
    /// The colour at `t` in 0..=1; values outside take the colour of the nearer end.
    #[must_use]
    pub fn at(self, t: f64) -> [u8; 3] {
        let stops = match self {
            Self::Sequential => &VIRIDIS,
            Self::Magnitude => &MAGMA,
            Self::Diverging => &BLUE_RED,
        };
        let t = if t.is_finite() { t.clamp(0.0, 1.0) } else { 0.0 } * (stops.len() - 1) as f64;
        let low = (t as usize).min(stops.len() - 2);
        let fraction = t - low as f64;
        [16, 8, 0].map(|shift| {
            let channel = |stop: u32| f64::from((stop >> shift) & 0xff);
            (channel(stops[low]) * (1.0 - fraction) + channel(stops[low + 1]) * fraction).round() as u8
        })
    }
}

// Every sixteenth colour of the maps of the same names in matplotlib, which are in the public domain (CC0);
// between them, linear interpolation differs by less than two levels of 255.
const VIRIDIS: [u32; 17] = [
    0x440154, 0x48186a, 0x472d7b, 0x424086, 0x3b528b, 0x33638d, 0x2c728e, 0x26828e, 0x21918c, 0x1fa088,
    0x28ae80, 0x3fbc73, 0x5ec962, 0x84d44b, 0xaddc30, 0xd8e219, 0xfde725,
];
const MAGMA: [u32; 17] = [
    0x000004, 0x0a0822, 0x1d1147, 0x36106b, 0x51127c, 0x6a1c81, 0x832681, 0x9c2e7f, 0xb73779, 0xd0416f,
    0xe75263, 0xf56b5c, 0xfc8961, 0xfea772, 0xfec488, 0xfde2a3, 0xfcfdbf,
];
/// ColorBrewer's RdBu, reversed (Brewer 2002; Apache licence).
const BLUE_RED: [u32; 17] = [
    0x053061, 0x175290, 0x2a71b2, 0x3f8ec0, 0x6bacd1, 0x9bc9e0, 0xc2ddec, 0xe0ecf3, 0xf7f6f6, 0xfbe5d8,
    0xfbccb4, 0xf5aa89, 0xe48066, 0xd05548, 0xba2832, 0x930e26, 0x67001f,
];
