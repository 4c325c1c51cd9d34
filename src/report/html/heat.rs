use std::fmt::Write as _;

use faer::Mat;

use super::{escape, number};

/// A matrix in colours: blue below zero, orange above, paler towards it.
#[derive(Debug, Clone)]
pub struct HeatMap {
    pub title: String,
    pub matrix: Mat<f64>,
}

/// Cells drawn along a side; larger matrices are shown by means of blocks.
const CELLS: usize = 64;
const SIDE: f64 = 384.0;

impl HeatMap {
    pub(super) fn rows(&self) -> usize {
        self.matrix.nrows()
    }

    /// Least and largest entry that is a number.
    pub(super) fn range(&self) -> (f64, f64) {
        let entries = self.matrix.col_iter().flat_map(|c| c.iter());
        let (least, largest) = entries.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &x| (l.min(x), h.max(x)));
        if least > largest { (0.0, 0.0) } else { (least, largest) }
    }

    /// Means of blocks, at most [`CELLS`] along a side.
    fn blocks(&self) -> Mat<f64> {
        let (m, n) = self.matrix.shape();
        let bounds = |size: usize| -> Vec<usize> {
            let parts = size.min(CELLS);
            (0..=parts).map(|i| i * size / parts.max(1)).collect()
        };
        let (rows, cols) = (bounds(m), bounds(n));
        Mat::from_fn(rows.len() - 1, cols.len() - 1, |i, j| {
            let block = self.matrix.submatrix(rows[i], cols[j], rows[i + 1] - rows[i], cols[j + 1] - cols[j]);
            block.sum() / (block.nrows() * block.ncols()) as f64
        })
    }

    pub(super) fn svg(&self, id: usize) -> String {
        let (least, largest) = self.range();
        let scale = least.abs().max(largest.abs());
        let blocks = self.blocks();
        let (m, n) = blocks.shape();
        let cell = SIDE / m.max(n).max(1) as f64;
        let averaged = if (m, n) == self.matrix.shape() { String::new() } else { format!(", shown as means of {m} x {n} blocks") };
        let mut svg = format!(
            "<svg class=\"square\" viewBox=\"0 0 {SIDE} {}\" role=\"img\" aria-labelledby=\"t{id} d{id}\">\n<title id=\"t{id}\">{}</title>\n\
             <desc id=\"d{id}\">A {} x {} matrix, entries from {} to {}{averaged}.</desc>\n",
            SIDE + 42.0,
            escape(&self.title),
            self.matrix.nrows(),
            self.matrix.ncols(),
            number(least),
            number(largest),
        );
        for i in 0..m {
            for j in 0..n {
                let _ = writeln!(
                    svg,
                    "<rect x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{:.2}\" fill=\"{}\"/>",
                    j as f64 * cell,
                    i as f64 * cell,
                    cell + 0.3,
                    cell + 0.3,
                    colour(if scale > 0.0 { blocks[(i, j)] / scale } else { 0.0 })
                );
            }
        }
        let steps = 32;
        for s in 0..steps {
            let t = 2.0 * s as f64 / (steps - 1) as f64 - 1.0;
            let width = SIDE / steps as f64;
            let _ = writeln!(
                svg,
                "<rect x=\"{:.2}\" y=\"{}\" width=\"{:.2}\" height=\"12\" fill=\"{}\"/>",
                s as f64 * width,
                SIDE + 8.0,
                width + 0.3,
                colour(t)
            );
        }
        for (x, anchor, value) in [(0.0, "start", -scale), (SIDE / 2.0, "middle", 0.0), (SIDE, "end", scale)] {
            let _ = writeln!(svg, "<text class=\"tick\" x=\"{x}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>", SIDE + 36.0, number(value));
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// t in [−1, 1]: blue, white, orange; grey for what is no number.
fn colour(t: f64) -> String {
    if t.is_nan() {
        return "#888888".into();
    }
    let end = if t < 0.0 { [0.0, 84.0, 150.0] } else { [196.0, 84.0, 0.0] };
    let share = t.abs().min(1.0);
    let channel = |i: usize| (247.0 + (end[i] - 247.0) * share).round() as u8;
    format!("#{:02x}{:02x}{:02x}", channel(0), channel(1), channel(2))
}
