//! Axes: where values fall, and the ticks that say so.

use super::number;

/// An axis: its label, whether it is logarithmic, and what is marked on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    pub label: String,
    pub log: bool,
    /// Names of the places 1, 2, ..., when the axis has names instead of numbers.
    names: Vec<String>,
    /// Values at which a line crosses the drawing, each with its text.
    pub(super) markers: Vec<(f64, String)>,
}

/// A tick: its place and its text.
pub(super) struct Tick {
    pub place: f64,
    pub text: String,
}

/// Ends of an axis, in places, and its ticks.
pub(super) struct Ticks {
    pub first: f64,
    pub last: f64,
    pub ticks: Vec<Tick>,
}

/// Values beyond this are left out, as those that are no numbers: differences of two stay finite.
const LARGEST: f64 = 1e300;
/// Longest name written at a tick, in characters.
const NAME_CHARS: usize = 20;
/// Decades up to which a logarithmic axis has ticks between them.
const FEW_DECADES: f64 = 2.0;
/// Part of the values' spread that an axis may reach beyond them, when enough ticks remain.
const MARGIN: f64 = 0.05;
const FEWEST_TICKS: usize = 3;
/// Most names written along an axis.
const MAX_NAMES: usize = 20;

impl Axis {
    pub fn linear(label: &str) -> Self {
        Axis { label: label.into(), log: false, names: vec![], markers: vec![] }
    }

    /// Values that are not positive are left out of the drawing (the table of numbers keeps them).
    pub fn log(label: &str) -> Self {
        Axis { log: true, ..Axis::linear(label) }
    }

    /// An axis of names: the i-th stands at i, from 1 on.
    pub fn named(label: &str, names: Vec<String>) -> Self {
        Axis { names, ..Axis::linear(label) }
    }

    /// Draws a line across at a value, with a text beside it.
    pub fn marker(mut self, at: f64, text: &str) -> Self {
        self.markers.push((at, text.into()));
        self
    }

    pub(super) fn place(&self, value: f64) -> Option<f64> {
        let place = if self.log { value.log10() } else { value };
        (place.abs() <= LARGEST).then_some(place)
    }

    /// A value in words: its name where it has one.
    pub(super) fn text(&self, value: f64) -> String {
        let name = (value >= 1.0 && value.fract() == 0.0).then(|| self.names.get(value as usize - 1)).flatten();
        name.cloned().unwrap_or_else(|| number(value))
    }

    /// Ends of the axis and its ticks; markers are kept in sight. Where values are `whole`, so are the ticks of a linear axis.
    pub(super) fn ticks(&self, places: impl Iterator<Item = f64>, whole: bool) -> Ticks {
        if !self.names.is_empty() {
            return self.name_ticks();
        }
        let places = places.chain(self.markers.iter().filter_map(|m| self.place(m.0)));
        let (least, largest) = places.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
        if least > largest {
            return Ticks { first: 0.0, last: 1.0, ticks: [0.0, 1.0].map(|place| self.tick(place)).into() };
        }
        let spread = largest - least;
        let step = if self.log {
            (spread / 6.0).ceil().max(1.0)
        } else if spread > 0.0 {
            let power = 10f64.powf((spread / 5.0).log10().floor());
            let steps = [1.0, 2.0, 5.0, 10.0].map(|s| s * power);
            steps.into_iter().find(|s| spread / s <= 6.0).unwrap_or(steps[3]).max(if whole { 1.0 } else { f64::MIN_POSITIVE })
        } else {
            least.abs().max(1.0)
        };
        let (first, last) = ((least / step).floor(), (largest / step).ceil().max((least / step).floor() + 1.0));
        let mut places: Vec<f64> = vec![];
        for i in 0..=(last - first) as usize {
            let place = (first + i as f64) * step;
            places.push(place);
            if self.log && spread <= FEW_DECADES && step == 1.0 && first + (i as f64) < last {
                places.extend([2.0, 5.0].map(|part: f64| place + part.log10()));
            }
        }
        // Of the finer ticks only those around the values, at least two.
        let from = places.iter().rposition(|&p| p <= least).unwrap_or(0).min(places.len() - 2);
        let to = places.iter().position(|&p| p >= largest).unwrap_or(places.len() - 1).max(from + 1);
        let places = &places[from..=to];
        let (mut first, mut last) = (places[0], places[places.len() - 1]);
        // A tick far beyond the values would leave the drawing empty up to it.
        let margin = MARGIN * spread;
        let near = |p: &&f64| (least - margin..=largest + margin).contains(*p);
        let mut ticks: Vec<Tick> = places.iter().filter(near).map(|&p| self.tick(p)).collect();
        if ticks.len() >= FEWEST_TICKS {
            (first, last) = (first.max(least - margin), last.min(largest + margin));
        } else {
            ticks = places.iter().map(|&p| self.tick(p)).collect();
        }
        Ticks { first, last, ticks }
    }

    fn tick(&self, place: f64) -> Tick {
        let text = match self.log {
            true if (-3.0..=4.0).contains(&place) => number(10f64.powf(place)),
            true if place.fract() == 0.0 => format!("1e{place}"),
            true => format!("{:.0e}", 10f64.powf(place)),
            // Multiples of a step carry the rounding of the product.
            false => number((place * 1e12).round() / 1e12),
        };
        Tick { place, text }
    }

    fn name_ticks(&self) -> Ticks {
        let stride = self.names.len().div_ceil(MAX_NAMES);
        let shorten = |name: &String| match name.char_indices().nth(NAME_CHARS) {
            Some((at, _)) => format!("{}\u{2026}", &name[..at]),
            None => name.clone(),
        };
        let tick = |(i, name): (usize, &String)| Tick { place: (i + 1) as f64, text: shorten(name) };
        Ticks { first: 0.5, last: self.names.len() as f64 + 0.5, ticks: self.names.iter().enumerate().step_by(stride).map(tick).collect() }
    }
}
