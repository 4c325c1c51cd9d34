//! Deep linear models of any depth and class sizes, and the collapsed candidate of deep ReLU models (Tirer and Bruna 2022; Dang et
//! al. 2023; Sukenik et al. 2023).

use rug::{Float, Integer, Rational, ops::Pow};

use super::{Form, Regime, Scalar, Unavailable, frame, modes::by_size, modes::spread, whole};
use crate::problem::{ExactPoint, Labels, Model, Problem};
use crate::scalar::{Ball, root_rational, sqrt_rational};

/// Each mode minimises (x−1)²/2 + (p/2) κ x^{2/p}: (1−x) x^{1−2/p} = κ_k, κ_k = N Λ^{1/p} n_k^{1/p−1}; alive while κ_k <= κ_c, and of
/// more than d modes the d largest classes'.
pub(super) struct Deep {
    labels: Labels,
    samples: u64,
    dim: u64,
    lambdas: Vec<Rational>,
    relu: bool,
}

/// Bits beyond the precision asked at which the root is approximated before it is enclosed.
pub(super) const ROOT_GUARD: u32 = 32;

/// κ_c^p = (p−2)^{p−2} / (p−1)^{2p−2}, exactly.
fn critical_power(p: u32) -> Rational {
    // 0^0 = 1: two factors die at κ = 1.
    Rational::from((Integer::from(p - 2).pow(p - 2), Integer::from(p - 1).pow(2 * p - 2)))
}

/// The κ beyond which zero is the minimiser of a mode.
pub(super) fn critical_kappa(p: u32, prec: u32) -> Ball {
    root_rational(&critical_power(p), p, prec)
}

/// The least value of a mode whose minimiser is x: (1−x)(1+(p−1)x)/2.
pub(super) fn mode_value(p: u32, x: &Ball, prec: u32) -> Ball {
    let one = whole(1, prec);
    ((&one - x) * (&one + &(x * &whole(u64::from(p - 1), prec)))).scale(-1)
}

/// The largest root t of F(t) = t^{p−2} − t^{2p−2} − κ, for p >= 3 and κ < κ_c: Newton's method from t = 1, where F is decreasing and
/// concave down to it, then a bracket whose ends have certain signs.
pub(super) fn largest_t(p: u32, kappa: &Ball, prec: u32) -> Ball {
    let width = prec + ROOT_GUARD;
    let value = |t: &Ball| &(&t.powi(p - 2) - &t.powi(2 * p - 2)) - kappa;
    let mut t = Float::with_val(width, 1);
    // Quadratic convergence: each step doubles the correct bits; near the threshold the first few only halve the distance.
    for _ in 0..64 + 2 * (32 - width.leading_zeros()) {
        let low = Float::with_val(width, (&t).pow(p - 3));
        let high = Float::with_val(width, (&t).pow(2 * p - 3));
        let slope = Float::with_val(width, &low * (p - 2)) - Float::with_val(width, &high * (2 * p - 2));
        let step = value(&Ball::exact(t.clone())).mid() / slope;
        let done = step.get_exp().is_none_or(|e| e < 8 - width as i32);
        t -= step;
        if done {
            break;
        }
    }
    let mut distance = Float::with_val(width, 1) >> (prec + ROOT_GUARD / 2);
    loop {
        let below = Float::with_val(width, &t - &distance);
        let above = Float::with_val(width, &t + &distance);
        if value(&Ball::exact(below.clone())).is_positive() && value(&Ball::exact(above.clone())).is_negative() {
            return Ball::exact(below).hull(&Ball::exact(above));
        }
        if distance > 1 {
            return Ball::whole(prec);
        }
        distance <<= 4;
    }
}

/// The least objective over collapsed points of a deep model, which is the deep linear model's minimum. `None` for other models.
pub(crate) fn collapsed_value(problem: &Problem, prec: u32) -> Option<Ball> {
    match &problem.model {
        Model::DeepLinear { lambdas } => Some(Deep::unchecked(problem, lambdas, false).f_star(prec)),
        Model::DeepRelu { lambdas } => Some(Deep::unchecked(problem, lambdas, true).f_star(prec)),
        _ => None,
    }
}

impl Deep {
    /// The collapsed candidate of a deep ReLU model.
    pub fn new(problem: &Problem, lambdas: &[Rational]) -> Result<Self, Unavailable> {
        let (least, dim) = (problem.classes(), problem.dim);
        let form = Self::unchecked(problem, lambdas, true);
        if form.relu && dim < least { Err(Unavailable::Dimension { least, dim }) } else { Ok(form) }
    }

    pub fn unchecked(problem: &Problem, lambdas: &[Rational], relu: bool) -> Self {
        // Equal class sizes are balanced however they were written.
        let labels = match problem.per_class() {
            Some(per_class) => Labels::Balanced { classes: problem.classes(), per_class },
            None => problem.labels.clone(),
        };
        Deep { labels, ..Self::listed(problem, lambdas, relu) }
    }

    /// Class sizes as they were written.
    pub fn listed(problem: &Problem, lambdas: &[Rational], relu: bool) -> Self {
        // Two factors have no ReLU.
        let relu = relu && lambdas.len() > 2;
        Deep { labels: problem.labels.clone(), samples: problem.samples(), dim: problem.dim, lambdas: lambdas.to_vec(), relu }
    }

    fn p(&self) -> u32 {
        self.lambdas.len() as u32
    }

    fn product(&self) -> Rational {
        self.lambdas.iter().fold(Rational::from(1), |product, l| product * l)
    }

    /// The distinct class sizes, largest first, with how many classes have each; one entry when balanced.
    fn groups(&self) -> Vec<(u64, u64)> {
        match &self.labels {
            Labels::Balanced { classes, per_class } => vec![(*per_class, *classes)],
            Labels::Counts(counts) => {
                let mut sorted = counts.clone();
                sorted.sort_unstable_by(|a, b| b.cmp(a));
                sorted.chunk_by(|a, b| a == b).map(|group| (group[0], group.len() as u64)).collect()
            }
            Labels::TagSets { .. } | Labels::Tagged { .. } => vec![],
        }
    }

    /// κ^p = N^p Λ / n^{p−1}, exactly.
    fn kappa_power(&self, n: u64) -> Rational {
        let p = self.p();
        self.product() * Rational::from((Integer::from(self.samples).pow(p), Integer::from(n).pow(p - 1)))
    }

    /// The largest root x of (1−x) x^{1−2/p} = κ, or zero beyond the critical κ (at it: the larger minimiser, but zero for p = 2).
    fn root(&self, n: u64, prec: u32) -> Ball {
        let p = self.p();
        let power = self.kappa_power(n);
        if power > critical_power(self.p()) {
            return Ball::zero(prec);
        }
        let kappa = root_rational(&power, p, prec);
        if p == 2 {
            return whole(1, prec) - kappa;
        }
        if power == critical_power(self.p()) {
            return Ball::from_rational(&Rational::from((p - 2, p - 1)), prec);
        }
        largest_t(p, &root_rational(&power, p, prec + ROOT_GUARD), prec).powi(p)
    }

    fn survivors(&self) -> u64 {
        let critical = critical_power(self.p());
        let alive = |n: u64| if self.p() == 2 { self.kappa_power(n) < critical } else { self.kappa_power(n) <= critical };
        self.groups().iter().filter(|&&(n, _)| alive(n)).map(|&(_, classes)| classes).sum::<u64>().min(self.dim)
    }

    /// The distinct class sizes with their roots, and how many classes keep their mode and how many there is no room for.
    fn roots(&self, prec: u32) -> Vec<(u64, Ball, u64, u64)> {
        let mut room = self.dim;
        let kept = |(n, classes): (u64, u64)| {
            let kept = classes.min(room);
            room -= kept;
            (n, self.root(n, prec), kept, classes - kept)
        };
        self.groups().into_iter().map(kept).collect()
    }

    fn classes(&self) -> u64 {
        self.groups().iter().map(|&(_, classes)| classes).sum()
    }
}

impl Form for Deep {
    fn regime(&self) -> Regime {
        Regime::of(self.survivors(), self.classes())
    }

    fn f_star(&self, prec: u32) -> Ball {
        let mut value = Ball::zero(prec);
        for (n, x, kept, lost) in self.roots(prec) {
            let weight = |classes: u64| Ball::from_rational(&(Rational::from(n) * Rational::from((classes, self.samples))), prec);
            value = value + mode_value(self.p(), &x, prec) * weight(kept) + weight(lost).scale(-1);
        }
        value
    }

    fn scalars(&self, prec: u32) -> Vec<(&'static str, Scalar)> {
        if let Labels::Balanced { per_class, .. } = self.labels {
            let kappa = root_rational(&self.kappa_power(per_class), self.p(), prec);
            let critical = root_rational(&critical_power(self.p()), self.p(), prec);
            return vec![
                ("kappa", Scalar::Value(kappa)),
                ("kappa_critical", Scalar::Value(critical)),
                ("logit_scale", Scalar::Value(self.root(per_class, prec))),
            ];
        }
        let mut list = Vec::new();
        for (n, x, kept, lost) in self.roots(prec) {
            list.extend(vec![sqrt_rational(&Rational::from(n), prec) * x; kept as usize]);
            list.extend(vec![Ball::zero(prec); lost as usize]);
        }
        vec![("surviving_classes", Scalar::Count(self.survivors())), ("singular_values", Scalar::List(list))]
    }

    fn source(&self) -> &'static str {
        if self.relu {
            "Tirer and Bruna, ICML 2022 (arXiv 2202.08087), under their nuclear norm equality: the collapsed candidate"
        } else {
            "Dang et al., ICML 2023 (arXiv 2301.00437); Tirer and Bruna, ICML 2022 (arXiv 2202.08087) for three factors"
        }
    }

    fn conditional(&self) -> bool {
        self.relu
    }

    fn minimum_dim(&self) -> u64 {
        self.classes().min(self.dim)
    }

    /// Every factor diagonal and nonnegative, mode j on coordinate j: λ_i σ_i² = (Λ n_k x_k²)^{1/p} for the j-th largest class k.
    fn minimiser(&self, (k, d, n): (usize, usize, usize), prec: u32) -> ExactPoint {
        let width = prec + frame::GUARD;
        let counts = match &self.labels {
            Labels::Balanced { per_class, .. } => vec![*per_class; k],
            Labels::Counts(counts) => counts.clone(),
            Labels::TagSets { .. } | Labels::Tagged { .. } => vec![],
        };
        // A coordinate for each class, or for the d largest.
        let places: Vec<(usize, usize)> = if d < k {
            by_size(&counts).into_iter().take(d).enumerate().map(|(j, class)| (class, j)).collect()
        } else {
            (0..k).map(|class| (class, class)).collect()
        };
        let product = Ball::from_rational(&self.product(), width);
        let roots: Vec<(u64, Ball)> = self.groups().into_iter().map(|(n, _)| (n, self.root(n, width))).collect();
        let energy = |n: u64| {
            let x = roots.iter().find(|(size, _)| *size == n).map_or_else(|| Ball::zero(width), |(_, x)| x.clone());
            (&product * &(&whole(n, width) * &x.square())).root(self.p())
        };
        let energies: Vec<Ball> = places.iter().map(|&(class, _)| energy(counts[class])).collect();
        // Entry (row, column) of each place, from its class and coordinate.
        let diagonal = |lambda: &Rational, features: bool, rows: usize, cols: usize, at: fn((usize, usize)) -> (usize, usize)| {
            let mut m = vec![Float::new(width); rows * cols];
            for (&place, energy) in places.iter().zip(&energies) {
                let mut square = energy / &Ball::from_rational(lambda, width);
                if features {
                    square = square / whole(counts[place.0], width);
                }
                let (i, j) = at(place);
                m[i * cols + j] = square.sqrt().mid();
            }
            frame::on_grid(rows, cols, &m, prec)
        };
        let last = self.lambdas.len() - 1;
        let columns = diagonal(&self.lambdas[0], true, d, k, |(class, j)| (j, class));
        let mut factors: Vec<_> = (1..last).map(|i| diagonal(&self.lambdas[i], false, d, d, |(_, j)| (j, j))).collect();
        factors.push(diagonal(&self.lambdas[last], false, k, d, |place| place));
        ExactPoint { factors, h: spread(&columns, &counts, n), b: None }
    }
}
