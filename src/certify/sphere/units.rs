//! A point of the sphere model through its unit vectors, rounded to a grid, with rigorous bounds on what the rounding moves.
//!
//! The exact point has rows ŵ_k = w_k/‖w_k‖ and columns ĥ_i = h_i/‖h_i‖ of the stored, dyadic w_k and h_i. On the grid 2^-P every
//! entry of the rounded unit vectors is within 2 units of its exact value, every vector within δ = 2 √d 2^-P, and τ ŵ_k within
//! 3 τ √d 2^-P; so every logit is within η = 3 τ δ of its exact value.

use rug::{Float, Integer, Rational, float::Round};

use crate::problem::exact::{Plain, State, rows_times_rows, scaled};
use crate::problem::{Dyadic, ExactPoint};
use crate::scalar::Ball;

/// The rounded unit vectors.
pub(super) struct Units<'a> {
    pub plain: &'a Plain,
    pub tau: &'a Rational,
    /// ŵ_k as rows.
    pub w: Dyadic,
    /// τ ŵ_k as rows, ĥ_i as columns.
    pub scaled: ExactPoint,
    /// δ, upwards.
    delta: Rational,
}

/// Largest δ for which the error bounds below hold.
const MAX_DELTA: f64 = 1.0 / 64.0;
/// Largest η for which they do.
const MAX_ETA: f64 = 1.0 / 8.0;

impl<'a> Units<'a> {
    /// Unit vectors on the grid 2^-grid. `None` when a row of W or a column of H is zero, or the grid is too coarse for d.
    pub fn new(plain: &'a Plain, tau: &'a Rational, point: &ExactPoint, grid: u32) -> Option<Self> {
        let w = unit_rows(&point.factors[0], grid)?;
        let h = unit_rows(&point.h.transpose(), grid)?.transpose();
        let root = Integer::from(plain.d).sqrt() + 1u32;
        let delta = Rational::from(2u32 * root) >> grid;
        if delta > MAX_DELTA {
            return None;
        }
        // Half a unit of this grid is at most τ 2^-P.
        let shift = exponent(tau)?;
        let exp = shift - grid as i32;
        let factor = tau.clone() * scaled(Integer::from(1), -shift);
        let m = w.m.iter().map(|x| Rational::from(&factor * x).round().into_numer_denom().0).collect();
        let scaled = ExactPoint { factors: vec![Dyadic { rows: w.rows, cols: w.cols, exp, m }], h, b: None };
        Some(Units { plain, tau, w, scaled, delta })
    }

    pub fn state(&self, bits: u32) -> Option<State<'_>> {
        State::new(self.plain, &self.scaled, bits)
    }

    fn ball(&self, x: &Rational, state: &State<'_>) -> Ball {
        Ball::from_rational(x, state.width())
    }

    /// η = 3 τ δ: how far logits may be off.
    fn eta(&self) -> Rational {
        Rational::from(3u32 * &self.delta) * self.tau
    }

    /// f at the exact point: a sample's loss moves by at most ‖p − y‖_1 η <= 2 η.
    pub fn objective(&self, state: &State<'_>) -> Ball {
        let (loss, slack) = (state.loss(), self.ball(&(2u32 * self.eta()), state));
        (&loss - &slack).hull(&(&loss + &slack))
    }

    /// The Riemannian gradient's norm at the exact point, from the residual r = N grad L(Z) within `units` of its grid. Needs η <= 1/8.
    ///
    /// The gradient is (τ/N) times v_k − <ŵ_k, v_k> ŵ_k, v_k = Σ_i r_ki ĥ_i, and u_i − <ĥ_i, u_i> ĥ_i, u_i = Σ_k r_ki ŵ_k. Softmax moves
    /// by at most (e^{2η} − 1) p <= 3 η p, so R by at most ρ = √(KN) units + 3 η √N; v and u by ρ √N and ρ √K, and by δ ‖R‖ √N and
    /// δ ‖R‖ √K with the vectors; the projections by 3 δ times their size, at most (1 + δ) ‖R‖ √N and so on. Together
    /// (ρ + 5 δ ‖R‖) √(N + K), with ‖R‖ <= √(2N) + ρ.
    pub fn gradient_norm(&self, state: &State<'_>, r: &Dyadic, units: f64) -> Option<Ball> {
        if self.eta() > MAX_ETA {
            return None;
        }
        let (k, n) = (self.plain.k, self.plain.n);
        let v = rows_times_rows(r, &self.scaled.h);
        let u = rows_times_rows(&r.transpose(), &self.w.transpose());
        let total = tangent_squares(&self.w, v) + tangent_squares(&self.scaled.h.transpose(), u);
        let root = |x: usize| self.ball(&Rational::from(x), state).sqrt();
        let unit = Ball::from_f64(units, state.width()) * self.ball(&scaled(Integer::from(1), r.exp), state);
        let rho = &(&root(k * n) * &unit) + &(&self.ball(&(3u32 * self.eta()), state) * &root(n));
        let size = &root(2 * n) + &rho;
        let error = (&rho + &(&self.ball(&(5u32 * self.delta.clone()), state) * &size)) * root(n + k);
        let norm = self.ball(&total, state).sqrt();
        let bounds = (&norm - &error).hull(&(&norm + &error)).max(&Ball::zero(state.width()));
        Some(bounds * self.ball(&Rational::from(self.tau / Integer::from(n)), state))
    }

    /// An enclosure whose upper end bounds Q(v), the second derivative of f along the geodesic of the tangent parts
    /// u_k = x_k − <x_k, ŵ_k> ŵ_k and v_i of a direction (x, y), and ‖(x, y)‖². Needs η <= 1/8.
    ///
    /// N Q = Σ_i Var_{p_i}(z'_i) + <r_i, z''_i>, z'_ki = τ(<u_k, ĥ_i> + <ŵ_k, v_i>), z''_ki = τ(2 <u_k, v_i> − (‖u_k‖² + ‖v_i‖²) <ŵ_k, ĥ_i>).
    /// With B² the squared norm of the direction, rounding moves u_k and v_i by 3 δ B each and τ u_k by less than another τ δ B, z' by at most
    /// 10 τ δ B with |z' − mean| <= 4.4 τ B, hence the variance by (60 η + 90 δ) τ² B²; z'' (at most 5 τ B²) by 34 τ δ B², hence
    /// <r, z''> by (15 η + 68 δ) τ B²: together (τ + τ²)(60 η + 100 δ) B².
    pub fn curvature(&self, state: &State<'_>, (r, units): &(Dyadic, f64), direction: &ExactPoint) -> Option<(Ball, Rational)> {
        if self.eta() > MAX_ETA {
            return None;
        }
        let n = self.plain.n;
        let (u, u_squares) = tangent(&self.w, &direction.factors[0]);
        let (v, v_squares) = tangent(&self.scaled.h.transpose(), &direction.h.transpose());
        let norm = direction.factors[0].sum_squares() + direction.h.sum_squares();
        // A unit of this grid is at most τ B 2^-P.
        let grid = exponent(self.tau)? - 1 + (exponent(&norm)? - 1).div_euclid(2) + self.w.exp;
        let factor = self.tau.clone() * scaled(Integer::from(1), u.exp - grid);
        let m = u.m.iter().map(|x| Rational::from(&factor * x).round().into_numer_denom().0).collect();
        let tau_u = Dyadic { m, exp: grid, ..u };
        let (first, _) = state.curvature(&ExactPoint { factors: vec![tau_u], h: v.transpose(), b: None });
        let (mut bent, mut weight) = (Rational::new(), Rational::new());
        for (t, (r, z)) in r.m.iter().zip(&state.z.m).enumerate() {
            let squares = Rational::from(&u_squares[t / n] + &v_squares[t % n]);
            weight += &squares * Rational::from(z.clone().abs());
            bent += squares * Integer::from(r * z);
        }
        let samples = Integer::from(n);
        let at = |x: Rational, exp: i32| scaled(Integer::from(1), exp) * x / &samples;
        let bent = self.ball(&at(bent, r.exp + state.z.exp), state);
        let rounding = Rational::from_f64(*units)? * at(weight, r.exp + state.z.exp);
        let moved = (Rational::from(self.tau * self.tau) + self.tau) * (60u32 * self.eta() + 100u32 * self.delta.clone()) * &norm;
        let slack = self.ball(&(rounding + moved), state);
        Some((&(&first - &bent) + &slack, norm))
    }
}

/// Rows divided by their lengths, entries within 2 units of 2^-grid; `None` for a zero row.
///
/// With s = Σ m² and ρ = floor(√(s 4^g)), g such that ρ >= 2^(grid+1), m 2^(grid+g)/ρ exceeds m 2^grid/√s by less than a share
/// 2^-grid of at most 2^grid: by one unit; rounding down moves it by another.
fn unit_rows(x: &Dyadic, grid: u32) -> Option<Dyadic> {
    let mut out = Vec::with_capacity(x.m.len());
    for row in x.m.chunks_exact(x.cols) {
        let square: Integer = row.iter().map(|m| Integer::from(m.square_ref())).sum();
        if square == 0 {
            return None;
        }
        let guard = (grid + 2).saturating_sub(square.significant_bits() / 2);
        let root = (square << (2 * guard)).sqrt();
        out.extend(row.iter().map(|m| (Integer::from(m) << (grid + guard)).div_rem_floor(root.clone()).0));
    }
    Some(Dyadic { rows: x.rows, cols: x.cols, exp: -(grid as i32), m: out })
}

/// y_j − <x_j, y_j> x_j for each row, exactly, and the squared lengths; x lies on a grid finer than the integers.
fn tangent(x: &Dyadic, y: &Dyadic) -> (Dyadic, Vec<Rational>) {
    let (shift, exp) = (-2 * x.exp, y.exp + 2 * x.exp);
    let (mut m, mut squares) = (Vec::with_capacity(x.m.len()), Vec::with_capacity(x.rows));
    for (x, y) in x.m.chunks_exact(x.cols).zip(y.m.chunks_exact(x.cols)) {
        let inner: Integer = x.iter().zip(y).map(|(x, y)| Integer::from(x * y)).sum();
        let row = x.iter().zip(y).map(|(x, y)| (Integer::from(y) << shift) - Integer::from(&inner * x));
        let row: Vec<Integer> = row.collect();
        let square: Integer = row.iter().map(|m| Integer::from(m.square_ref())).sum();
        squares.push(scaled(square, 2 * exp));
        m.extend(row);
    }
    (Dyadic { rows: y.rows, cols: y.cols, exp, m }, squares)
}

/// The e with 2^(e-1) <= x < 2^e, for x > 0.
fn exponent(x: &Rational) -> Option<i32> {
    Float::with_val_round(64, x, Round::Down).0.get_exp()
}

fn tangent_squares(x: &Dyadic, y: Dyadic) -> Rational {
    tangent(x, &y).1.into_iter().sum()
}
