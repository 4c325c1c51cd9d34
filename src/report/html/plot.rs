use std::fmt::Write as _;

use super::{escape, number};

/// An axis: its label and whether it is logarithmic.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    pub label: String,
    pub log: bool,
}

/// Values beyond this are left out, as those that are no numbers: differences of two stay finite.
const LARGEST: f64 = 1e300;

impl Axis {
    pub fn linear(label: &str) -> Self {
        Axis { label: label.into(), log: false }
    }

    /// Values that are not positive are left out of the drawing (the table of numbers keeps them).
    pub fn log(label: &str) -> Self {
        Axis { label: label.into(), log: true }
    }

    fn place(&self, value: f64) -> Option<f64> {
        let place = if self.log { value.log10() } else { value };
        (place.abs() <= LARGEST).then_some(place)
    }

    /// Ends of the axis and its ticks, in places.
    fn ticks(&self, places: impl Iterator<Item = f64>) -> (f64, f64, Vec<f64>) {
        let (least, largest) = places.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
        if least > largest {
            return (0.0, 1.0, vec![0.0, 1.0]);
        }
        let spread = largest - least;
        let step = if self.log {
            (spread / 6.0).ceil().max(1.0)
        } else if spread > 0.0 {
            let power = 10f64.powf((spread / 5.0).log10().floor());
            let steps = [1.0, 2.0, 5.0, 10.0].map(|s| s * power);
            steps.into_iter().find(|s| spread / s <= 6.0).unwrap_or(steps[3]).max(f64::MIN_POSITIVE)
        } else {
            least.abs().max(1.0)
        };
        let (first, last) = ((least / step).floor(), (largest / step).ceil().max((least / step).floor() + 1.0));
        let ticks = (0..=(last - first) as usize).map(|i| (first + i as f64) * step).collect();
        (first * step, last * step, ticks)
    }

    fn text(&self, place: f64) -> String {
        match self.log {
            true if (-3.0..=4.0).contains(&place) => number(10f64.powf(place)),
            true => format!("1e{place}"),
            // Multiples of a step carry the rounding of the product.
            false => number((place * 1e12).round() / 1e12),
        }
    }
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Line,
    Points,
    /// What theory predicts: dashed, without marks.
    Theory,
    /// Rings around points of other series that deserve a look.
    Ring,
    /// Crosses over points of other series that do not count.
    Cross,
}

/// Named points (x, y), in drawing order.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
    pub mark: Mark,
}

impl Series {
    pub fn line(name: &str, points: Vec<(f64, f64)>) -> Self {
        Series { name: name.into(), points, mark: Mark::Line }
    }

    pub fn points(name: &str, points: Vec<(f64, f64)>) -> Self {
        Series { name: name.into(), points, mark: Mark::Points }
    }

    pub fn theory(name: &str, points: Vec<(f64, f64)>) -> Self {
        Series { name: name.into(), points, mark: Mark::Theory }
    }

    pub fn rings(name: &str, points: Vec<(f64, f64)>) -> Self {
        Series { name: name.into(), points, mark: Mark::Ring }
    }

    pub fn crosses(name: &str, points: Vec<(f64, f64)>) -> Self {
        Series { name: name.into(), points, mark: Mark::Cross }
    }
}

/// Curves over two axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 46.0;
/// Height of a line of the legend, below the drawing.
const LEGEND: f64 = 22.0;
/// Colours of the page's style.
const COLOURS: usize = 6;
/// Beyond this many points marks would hide the line.
const MARKED: usize = 60;
const DASHES: [&str; 3] = ["", "7 4", "2 4"];

impl Plot {
    pub(super) fn svg(&self, id: usize) -> String {
        let places = |axis: &Axis, pick: fn(&(f64, f64)) -> f64| -> Vec<f64> {
            self.series.iter().flat_map(|s| &s.points).filter_map(|p| axis.place(pick(p))).collect()
        };
        let (x0, x1, x_ticks) = self.x.ticks(places(&self.x, |p| p.0).into_iter());
        let (y0, y1, y_ticks) = self.y.ticks(places(&self.y, |p| p.1).into_iter());
        let (right, floor) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let to_x = |place: f64| LEFT + (place - x0) / (x1 - x0) * (right - LEFT);
        let to_y = |place: f64| floor - (place - y0) / (y1 - y0) * (floor - TOP);
        let height = HEIGHT + LEGEND * self.series.len() as f64;
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"t{id} d{id}\">\n<title id=\"t{id}\">{}</title>\n<desc id=\"d{id}\">{}</desc>\n",
            escape(&self.title),
            escape(&self.description())
        );
        for &tick in &x_ticks {
            let x = to_x(tick);
            let _ = write!(svg, "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{floor}\"/>");
            let _ = writeln!(
                svg,
                "<text class=\"tick\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                floor + 18.0,
                self.x.text(tick)
            );
        }
        for &tick in &y_ticks {
            let y = to_y(tick);
            let _ = write!(svg, "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>");
            let _ = writeln!(
                svg,
                "<text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                y + 4.0,
                self.y.text(tick)
            );
        }
        let _ =
            writeln!(svg, "<rect class=\"frame\" x=\"{LEFT}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"/>", right - LEFT, floor - TOP);
        let middle = (LEFT + right) / 2.0;
        let _ = writeln!(svg, "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>", floor + 38.0, escape(&self.x.label));
        let centre = (TOP + floor) / 2.0;
        let _ = writeln!(
            svg,
            "<text x=\"14\" y=\"{centre}\" text-anchor=\"middle\" transform=\"rotate(-90 14 {centre})\">{}</text>",
            escape(&self.y.label)
        );
        for (i, series) in self.series.iter().enumerate() {
            let at: Vec<(f64, f64)> =
                series.points.iter().filter_map(|p| Some((to_x(self.x.place(p.0)?), to_y(self.y.place(p.1)?)))).collect();
            let style = Style::new(i, series.mark);
            style.draw(&mut svg, &at);
            let y = HEIGHT + LEGEND * i as f64 + 10.0;
            let sample =
                if !matches!(series.mark, Mark::Line | Mark::Theory) { vec![(LEFT + 16.0, y)] } else { vec![(LEFT, y), (LEFT + 32.0, y)] };
            style.draw(&mut svg, &sample);
            let _ = writeln!(svg, "<text x=\"{}\" y=\"{}\">{}</text>", LEFT + 42.0, y + 4.0, escape(&series.name));
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// The drawing in words: ends of every series.
    fn description(&self) -> String {
        let mut text = format!("{} against {}.", self.y.label, self.x.label);
        for series in &self.series {
            if let (Some(first), Some(last)) = (series.points.first(), series.points.last()) {
                let _ = write!(
                    text,
                    " {}: from {} at {} to {} at {}, {} points.",
                    series.name,
                    number(first.1),
                    number(first.0),
                    number(last.1),
                    number(last.0),
                    series.points.len()
                );
            }
        }
        text
    }
}

/// Colour, dash and mark of the i-th series: no two agree in all three before the eighteenth.
struct Style {
    index: usize,
    mark: Mark,
}

impl Style {
    fn new(index: usize, mark: Mark) -> Self {
        Style { index, mark }
    }

    fn draw(&self, svg: &mut String, at: &[(f64, f64)]) {
        let colour = format!("var(--s{})", self.index % COLOURS);
        let dash = if self.mark == Mark::Theory { DASHES[1] } else { DASHES[self.index / COLOURS % DASHES.len()] };
        for &(x, y) in at {
            let _ = match self.mark {
                Mark::Ring => {
                    writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"8\" fill=\"none\" stroke=\"var(--bad)\" stroke-width=\"2\"/>")
                }
                Mark::Cross => writeln!(
                    svg,
                    "<path d=\"M{:.1} {:.1}l10 10m0 -10l-10 10\" stroke=\"var(--text)\" stroke-width=\"1.5\"/>",
                    x - 5.0,
                    y - 5.0
                ),
                _ => break,
            };
        }
        if matches!(self.mark, Mark::Line | Mark::Theory) && at.len() > 1 {
            let path: Vec<String> = at.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dash}\"/>",
                path.join(" ")
            );
        }
        if self.mark == Mark::Points || (self.mark == Mark::Line && at.len() <= MARKED) {
            for &(x, y) in at {
                let _ = match self.index % 3 {
                    0 => writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>"),
                    1 => writeln!(svg, "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"6.4\" height=\"6.4\" fill=\"{colour}\"/>", x - 3.2, y - 3.2),
                    _ => writeln!(
                        svg,
                        "<polygon points=\"{:.1},{:.1} {:.1},{:.1} {:.1},{:.1}\" fill=\"{colour}\"/>",
                        x,
                        y - 4.4,
                        x - 4.0,
                        y + 3.2,
                        x + 4.0,
                        y + 3.2
                    ),
                };
            }
        }
    }
}
