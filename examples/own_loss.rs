//! A loss of one's own: one-against-all logistic regression, `Σ_k softplus(z_k) − t_k z_k`, a smooth hinge for every class.
//!
//! [`LogitLoss`] lets the solvers minimise it, [`ConvexLoss`] lets the library prove how far the result is from the minimum.

use std::error::Error;

use ufm::{
    certify::loss_bounds,
    problem::{
        Problem,
        loss::{ConvexLoss, LogitLoss},
    },
    scalar::Ball,
    solve::{SolveOptions, minimise_loss},
};

/// `ℓ_i(z) = (1/N) Σ_k [log(1 + e^{z_k}) − t_ki z_k]` with one-hot targets t.
#[derive(Clone)]
struct OneAgainstAll {
    labels: Vec<usize>,
    classes: usize,
}

impl OneAgainstAll {
    fn weight(&self) -> f64 {
        1.0 / self.labels.len() as f64
    }
}

impl LogitLoss for OneAgainstAll {
    fn gradient(&self, z: &mut [f64], first: usize) -> f64 {
        let mut total = 0.0;
        for (column, &label) in z.chunks_exact_mut(self.classes).zip(&self.labels[first..]) {
            total -= column[label];
            for z in column.iter_mut() {
                total += z.max(0.0) + (-z.abs()).exp().ln_1p();
                *z = self.weight() / (1.0 + (-*z).exp());
            }
            column[label] -= self.weight();
        }
        self.weight() * total
    }

    fn curvature(&self, z: &[f64], _g: &[f64], dz: &mut [f64], _first: usize) {
        for (dz, z) in dz.iter_mut().zip(z) {
            let e = (-z.abs()).exp();
            *dz *= self.weight() * e / ((1.0 + e) * (1.0 + e));
        }
    }
}

impl ConvexLoss for OneAgainstAll {
    fn enclosure(&self, z: &[Ball], sample: usize) -> Ball {
        let sum = z.iter().fold(-z[self.labels[sample]].clone(), |sum, z| &sum + &z.exp().ln_1p());
        &sum / &Ball::from_f64(self.labels.len() as f64, z[0].prec())
    }

    /// `(1/N) Σ_k [q log q + (1 − q) log(1 − q)]` with q = N g_k + t_k in [0, 1].
    fn conjugate(&self, g: &[Ball], sample: usize) -> Ball {
        let prec = g[0].prec();
        let (one, n) = (Ball::from_f64(1.0, prec), Ball::from_f64(self.labels.len() as f64, prec));
        let sum = g.iter().enumerate().fold(Ball::zero(prec), |sum, (k, g)| {
            let scaled = &n * g;
            let q = if k == self.labels[sample] { &scaled + &one } else { scaled };
            let rest = &one - &q;
            // The logarithm of what may be negative is the whole line, so leaving the domain shows.
            &sum + &(&(&q * &q.ln()) + &(&rest * &rest.ln()))
        });
        &sum / &n
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // The problem's own loss is ignored; everything else is used.
    let problem = Problem::from_toml(
        "model = 'plain'\nloss = 'ce'\nbias = 'free'\nclass_counts = [6, 4, 3]\ndim = 5\nlambda_w = '0.01'\nlambda_h = '0.02'",
    )?;
    let labels = (0..3).flat_map(|class| std::iter::repeat_n(class, [6, 4, 3][class])).collect();
    let loss = OneAgainstAll { labels, classes: 3 };
    let solution = minimise_loss(&problem, Box::new(loss.clone()), &SolveOptions::default(), &mut |_| {})?;
    let bounds = loss_bounds(&problem, &loss, &solution.point)?.ok_or("no bounds")?;
    println!("{}: objective {:.15}, gradient norm {:.1e}", solution.status.name(), solution.objective, solution.gradient_norm);
    println!("proved: {:.15} <= minimum over all points <= {:.15}", bounds.lower.to_f64(), bounds.upper.to_f64());
    println!("gap <= {:.1e}", bounds.gap.to_f64());
    if bounds.gap > 1e-9 {
        return Err("the gap is not small".into());
    }
    Ok(())
}
