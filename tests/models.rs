//! Losses, multi-label data, imbalance and landscape: certified numerics against closed forms, and the enclosures against other routes.

mod support;

use proptest::prelude::*;
use rug::Rational;
use support::{plain, scattered, tagged};
use ufm::{
    certify::{CertifyOptions, Verdict, certify, certify_with, hessian_eigenvalues, loss_bounds, mean_distances, objective},
    closed_form::{Scalar, closed_form, critical_points, minority_threshold},
    problem::{
        Labels, Point, Problem, hessian_product,
        loss::{ConvexLoss, CrossEntropy, LogitLoss},
    },
    scalar::Ball,
    solve::{Method, SolveOptions, Start, Status, minimise, minimise_loss, refine},
};

fn solved(problem: &Problem) -> ufm::solve::Solution {
    let solution = minimise(problem, &SolveOptions::default(), &mut |_| {}).unwrap();
    assert_eq!(solution.status, Status::Converged, "{problem:?}");
    solution
}

/// A converged minimiser's value relative to the closed form: the 1e-12.
const VALUE: f64 = 1e-12;

#[test]
fn multi_label_minimisers_reach_the_closed_form() {
    for sets in ["{ 1 = 3, 2 = 2 }", "{ 1 = 1, 4 = 2 }", "{ 2 = 1, 3 = 1 }"] {
        for bias in ["bias = 'none'", "bias = 'free'", "bias = 'regularized'\nlambda_b = '0.2'"] {
            let text = format!(
                "model = 'multi-label'\nloss = 'pick-all-labels'\n{bias}\nclasses = 4\nper_tag_set = {sets}\ndim = 5\nlambda_w = '0.01'\nlambda_h = '0.006'"
            );
            let problem = Problem::from_toml(&text).unwrap();
            let f_star = closed_form(&problem).unwrap().f_star(128).mid().to_f64();
            for options in [SolveOptions::default(), SolveOptions { start: Start::Spectral, method: Method::Lbfgs, ..Default::default() }] {
                let solution = minimise(&problem, &options, &mut |_| {}).unwrap();
                assert!((solution.objective - f_star).abs() <= VALUE * f_star, "{text}: {} against {f_star}", solution.objective);
            }
            let refined = refine(&problem, &solved(&problem).point, 60, &mut |_| {}).unwrap();
            assert!(refined.converged);
            let value = objective(&problem, &refined.point, 260).unwrap();
            let difference = (&value - &closed_form(&problem).unwrap().f_star(260)).abs();
            assert!(difference.upper_rational().unwrap() < Rational::from((1, rug::Integer::from(rug::Integer::u_pow_u(10, 60)))));
        }
    }
}

/// The same data written in two ways is the same problem; unbalanced data have no closed form but are certified.
#[test]
fn listed_tag_sets_are_the_balanced_ones() {
    let listed = tagged("free", 3, &[(&[0], 2), (&[1], 2), (&[2], 2), (&[0, 1], 1), (&[0, 2], 1), (&[1, 2], 1)], 3, 0.01, 0.02);
    let text = "model = 'multi-label'\nloss = 'pick-all-labels'\nbias = 'free'\nclasses = 3\nper_tag_set = { 1 = 2, 2 = 1 }\ndim = 3\nlambda_w = '0.01'\nlambda_h = '0.02'";
    let balanced = Problem::from_toml(text).unwrap();
    assert_eq!(listed.labels.groups(), balanced.labels.groups());
    assert!(matches!(listed.labels, Labels::Tagged { .. }) && closed_form(&listed).is_err());
    assert_eq!(solved(&listed).point, solved(&balanced).point);
}

/// Focal margins jump to zero: on both sides of the jump the solver's best start reaches the closed form.
#[test]
fn focal_minimisers_reach_the_closed_form() {
    for (focusing, k, dim, lambda) in [("2", 4, 5, "0.02"), ("1", 3, 2, "0.05"), ("3", 5, 5, "0.001"), ("2", 3, 3, "0.6")] {
        for bias in ["none", "free"] {
            let text = format!(
                "model = 'plain'\nloss = 'focal'\nfocusing = '{focusing}'\nbias = '{bias}'\nclasses = {k}\nper_class = 2\ndim = {dim}\nlambda_w = '{lambda}'\nlambda_h = '{lambda}'"
            );
            let problem = Problem::from_toml(&text).unwrap();
            let solution = solved(&problem);
            let f_star = closed_form(&problem).unwrap().f_star(128).mid().to_f64();
            assert!((solution.objective - f_star).abs() <= VALUE * f_star, "{text}: {} against {f_star}", solution.objective);
            let result = certify(&problem, b"", &solution.point.to_exact().unwrap(), &CertifyOptions::default()).unwrap();
            assert_eq!(result.verdict, Verdict::GlobalMinimum, "{text}");
        }
    }
    // THEORY's jumps, c = K mu at n = 1: just below the critical c the margin is far from zero, just above it is zero.
    for (k, focusing, below, above, margin) in [(100, "2", "0.01115", "0.01116", 2.37), (50, "1", "0.02128", "0.02129", 1.11)] {
        let margin_at = |lambda: &str| {
            let text = format!(
                "model = 'plain'\nloss = 'focal'\nfocusing = '{focusing}'\nbias = 'none'\nclasses = {k}\nper_class = 1\ndim = {k}\nlambda_w = '{lambda}'\nlambda_h = '{lambda}'"
            );
            let scalars = closed_form(&Problem::from_toml(&text).unwrap()).unwrap().scalars(64);
            let Some((_, Scalar::Value(a))) = scalars.into_iter().find(|(name, _)| *name == "margin") else { panic!() };
            a.mid().to_f64()
        };
        assert!((margin_at(below) - margin).abs() < 0.05 * margin, "{}", margin_at(below));
        assert_eq!(margin_at(above), 0.0);
    }
}

/// The origin below the threshold, exactly critical: its own means prove the trivial bound, the scaled candidate a better one.
#[test]
fn exact_saddles_get_the_better_bound() {
    let file = "model = \"plain\"\nloss = \"mse\"\nbias = \"none\"\nclasses = 3\nper_class = 2\ndim = 3\nlambda_w = \"0.01\"\nlambda_h = \"0.02\"\n";
    let problem = Problem::from_toml(file).unwrap();
    let zero = Point { factors: vec![faer::Mat::zeros(3, 3)], h: faer::Mat::zeros(3, 6), b: None }.to_exact().unwrap();
    let result = certify(&problem, file.as_bytes(), &zero, &CertifyOptions { digits: 40, ..Default::default() }).unwrap();
    assert_eq!(result.verdict, Verdict::StrictSaddle);
    let f_star = closed_form(&problem).unwrap().f_star(200);
    let lost = &f_star - &Ball::exact(result.bounds.unwrap().lower);
    assert!(lost.upper_rational().unwrap() < Rational::from((1, 1_000_000)), "{}", lost.upper_decimal(3));
}

/// d < K − 1: solved, bound valid, reported as not tight.
#[test]
fn small_dimensions_are_reported_as_not_tight() {
    let problem = plain("ce", "none", &[3; 5], 2, 0.005, 0.005);
    let result = certify(&problem, b"", &solved(&problem).point.to_exact().unwrap(), &CertifyOptions::default()).unwrap();
    assert!(!result.tight && result.verdict == Verdict::NearMinimum);
    let lower = Ball::exact(result.bounds.unwrap().lower);
    let roomy = closed_form(&plain("ce", "none", &[3; 5], 4, 0.005, 0.005)).unwrap().f_star(128);
    assert!(!(&lower - &roomy).is_positive());
}

#[test]
fn a_foreign_dual_matrix_proves_what_it_can() {
    let problem = plain("mse", "none", &[2, 3], 2, 0.05, 0.05);
    let point = solved(&problem).point.to_exact().unwrap();
    let options = CertifyOptions::default();
    let own = certify(&problem, b"", &point, &options).unwrap();
    let mut dual = own.dual.clone().unwrap();
    let again = certify_with(&problem, b"", &point, &options, Some(&dual)).unwrap();
    assert_eq!(again.verdict, Verdict::GlobalMinimum);
    // Twice the radius proves nothing.
    dual.exp += 1;
    let result = certify_with(&problem, b"", &point, &options, Some(&dual)).unwrap();
    assert!(result.bounds.is_none() && result.verdict != Verdict::GlobalMinimum);
    dual.cols = 1;
    assert!(certify_with(&problem, b"", &point, &options, Some(&dual)).unwrap().bounds.is_none());
}

/// Cross-entropy as a loss of one's own.
struct Own(CrossEntropy, Vec<usize>);

impl LogitLoss for Own {
    fn gradient(&self, z: &mut [f64], first: usize) -> f64 {
        self.0.gradient(z, first)
    }

    fn curvature(&self, z: &[f64], g: &[f64], dz: &mut [f64], first: usize) {
        self.0.curvature(z, g, dz, first);
    }
}

impl ConvexLoss for Own {
    fn enclosure(&self, z: &[Ball], sample: usize) -> Ball {
        let sum = z.iter().fold(Ball::zero(z[0].prec()), |sum, z| &sum + &z.exp());
        (sum.ln() - z[self.1[sample]].clone()) / Ball::from_f64(self.1.len() as f64, z[0].prec())
    }

    /// Columns must sum to zero, which doubles of any kind hardly do: the enclosure says infinity unless they do exactly.
    fn conjugate(&self, g: &[Ball], sample: usize) -> Ball {
        let prec = g[0].prec();
        let total: Option<Rational> = g.iter().map(Ball::known_rational).sum();
        if total != Some(Rational::new()) {
            return Ball::whole(prec);
        }
        let n = Ball::from_f64(self.1.len() as f64, prec);
        let entropy = g.iter().enumerate().fold(Ball::zero(prec), |sum, (k, g)| {
            let q = &(&n * g) + &Ball::from_f64(f64::from(u8::from(k == self.1[sample])), prec);
            &sum + &(&q * &q.ln())
        });
        &entropy / &n
    }
}

/// Squared error as a loss of one's own: bounds as tight as the built-in certificate's.
struct Squares(Vec<usize>);

impl LogitLoss for Squares {
    fn gradient(&self, z: &mut [f64], first: usize) -> f64 {
        let n = self.0.len() as f64;
        let mut total = 0.0;
        for (column, &label) in z.chunks_exact_mut(3).zip(&self.0[first..]) {
            column[label] -= 1.0;
            for z in column {
                total += *z * *z / (2.0 * n);
                *z /= n;
            }
        }
        total
    }

    fn curvature(&self, _z: &[f64], _g: &[f64], dz: &mut [f64], _first: usize) {
        dz.iter_mut().for_each(|x| *x /= self.0.len() as f64);
    }
}

impl ConvexLoss for Squares {
    fn enclosure(&self, z: &[Ball], sample: usize) -> Ball {
        let prec = z[0].prec();
        let term = |(k, z): (usize, &Ball)| (z - &Ball::from_f64(f64::from(u8::from(k == self.0[sample])), prec)).square();
        z.iter().enumerate().map(term).fold(Ball::zero(prec), |sum, x| &sum + &x) / Ball::from_f64(2.0 * self.0.len() as f64, prec)
    }

    fn conjugate(&self, g: &[Ball], sample: usize) -> Ball {
        let prec = g[0].prec();
        let half = Ball::from_f64(self.0.len() as f64 / 2.0, prec);
        g.iter().fold(g[self.0[sample]].clone(), |sum, g| &sum + &(&half * &g.square()))
    }
}

#[test]
fn own_losses_are_minimised_and_bounded() {
    for bias in ["none", "free", "regularized"] {
        let counts = [4, 2, 3];
        let problem = plain("mse", bias, &counts, 4, 0.02, 0.01);
        let labels: Vec<usize> = (0..3).flat_map(|k| std::iter::repeat_n(k, counts[k] as usize)).collect();
        let own = minimise_loss(&problem, Box::new(Squares(labels.clone())), &SolveOptions::default(), &mut |_| {}).unwrap();
        let builtin = solved(&problem);
        assert!((own.objective - builtin.objective).abs() <= VALUE, "{bias}");
        let bounds = loss_bounds(&problem, &Squares(labels.clone()), &own.point).unwrap().unwrap();
        let exact = objective(&problem, &own.point.to_exact().unwrap(), 128).unwrap();
        assert!(bounds.gap < 1e-12 && bounds.lower <= exact.upper() && bounds.upper >= exact.lower(), "{bias}: {}", bounds.gap);
        // Far from a minimum the bounds still hold.
        let far = loss_bounds(&problem, &Squares(labels.clone()), &scattered(&problem, 1, 1.0)).unwrap().unwrap();
        assert!(far.lower <= exact.upper() && far.upper >= exact.lower());
        let mut wrong = own.point.clone();
        wrong.factors.clear();
        assert!(loss_bounds(&problem, &Squares(labels), &wrong).is_err());
    }
    let problem = plain("ce", "free", &[2, 2], 2, 0.02, 0.01);
    let own = Own(CrossEntropy::new(vec![0, 0, 1, 1], 2, 0.0), vec![0, 0, 1, 1]);
    let solution = minimise_loss(
        &problem,
        Box::new(Own(CrossEntropy::new(vec![0, 0, 1, 1], 2, 0.0), vec![0, 0, 1, 1])),
        &SolveOptions::default(),
        &mut |_| {},
    );
    let point = solution.unwrap().point;
    assert!((ufm::problem::evaluate(&problem, &point).unwrap().objective - solved(&problem).objective).abs() <= VALUE);
    // No bound is claimed where the conjugate may be infinite.
    if let Some(bounds) = loss_bounds(&problem, &own, &point).unwrap() {
        assert!(bounds.lower <= objective(&problem, &point.to_exact().unwrap(), 128).unwrap().upper());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Minority classes die exactly at sizes up to the enclosed threshold, along the whole sweep.
    #[test]
    fn minority_threshold_is_where_classes_die(a in 1u64..4, b in 1u64..4, n in 2u64..60, lw in 1u32..200, lh in 1u32..200) {
        let (w, h) = (Rational::from((lw, 10_000)), Rational::from((lh, 10_000)));
        let found = minority_threshold((a, n), b, &w, &h, 128);
        for x in 1..=n {
            let counts: Vec<u64> = (0..a).map(|_| n).chain((0..b).map(|_| x)).collect();
            let total = Rational::from(a * n + b * x);
            let dead = Rational::from(&w * &h) * total.square() >= x;
            match &found {
                Some(t) => {
                    let at = Ball::from_f64(x as f64, 128);
                    // The roots' product is A² n²/B².
                    let square = |x: u64| Ball::from_f64((x * x) as f64, 128);
                    let above = &(&at * &t.size) * &square(b) - square(a * n);
                    let below = &t.size - &at;
                    prop_assert!(!below.is_positive() && !above.is_positive() || dead, "{}", x);
                    prop_assert!(!below.is_negative() || !above.is_negative() || !dead, "{}", x);
                    prop_assert!((&(&t.ratio * &t.size) - &Ball::from_f64(n as f64, 128)).contains_zero());
                }
                None => prop_assert!(dead),
            }
            if x == 1 && n > 1 {
                let problem = plain("mse", "none", &counts, a + b, f64::from(lw) / 10_000.0, f64::from(lh) / 10_000.0);
                let scalars = closed_form(&problem).unwrap().scalars(64);
                let Scalar::Count(alive) = scalars[0].1 else { panic!() };
                prop_assert_eq!(alive >= a + b, !dead);
            }
        }
    }

    /// Enclosed distances hold: never below the exact distance of the class means.
    #[test]
    fn certified_distances_hold(counts in prop::collection::vec(1u64..6, 2..4), seed in 0u64..50, lambda in 1u32..20, near in any::<bool>(), loss in prop::sample::select(vec!["mse", "ce", "label-smoothing"])) {
        let lambda = f64::from(lambda) / 100.0;
        let problem = plain(loss, "none", &counts, counts.len() as u64, lambda, lambda);
        let point = if near { solved(&problem).point } else { scattered(&problem, seed, 0.5) }.to_exact().unwrap();
        let h = &point.h;
        let mean = |k: usize, t: usize| {
            let start = counts[..k].iter().sum::<u64>() as usize;
            (start..start + counts[k] as usize).map(|i| h.rational(t, i)).sum::<Rational>() / counts[k]
        };
        let exact: Rational = (0..h.rows).map(|t| (mean(0, t) - mean(1, t)).square()).sum();
        let found = mean_distances(&problem, &point, &[(0, 1), (0, 9)], &CertifyOptions::default()).unwrap();
        prop_assert!(found[0].to_rational().is_none_or(|bound| exact <= bound));
        prop_assert!(found[1].is_infinite());
    }

    /// Enclosed eigenvalues against the Hessian products of the solver, and the trace.
    #[test]
    fn eigenvalues_are_enclosed(seed in 0u64..100, bias in prop::sample::select(vec!["none", "free", "regularized"])) {
        let problem = plain("mse", bias, &[2, 1], 2, 0.03, 0.2);
        let point = scattered(&problem, seed, 0.7);
        let eigenvalues = hessian_eigenvalues(&problem, &point.to_exact().unwrap()).unwrap();
        let size = eigenvalues.len();
        let unit = |index: usize| {
            let mut p = Point { factors: vec![faer::Mat::zeros(2, 2)], h: faer::Mat::zeros(2, 3), b: point.b.as_ref().map(|b| vec![0.0; b.len()]) };
            *entries(&mut p)[index] = 1.0;
            p
        };
        let dense = nalgebra::DMatrix::from_fn(size, size, |i, j| {
            let mut column = hessian_product(&problem, &point, &unit(j)).unwrap();
            *entries(&mut column)[i]
        });
        let mut other: Vec<f64> = dense.symmetric_eigen().eigenvalues.iter().copied().collect();
        other.sort_by(f64::total_cmp);
        // The other route's own error: size² roundings of a matrix of norm below 10.
        let room = 1e-12;
        for (x, y) in eigenvalues.iter().zip(&other) {
            prop_assert!(x.lower().to_f64() - room <= *y && *y <= x.upper().to_f64() + room, "{y}");
            prop_assert!(x.rad() < 1e-11);
        }
    }
}

fn entries(p: &mut Point) -> Vec<&mut f64> {
    let mats = p.factors.iter_mut().chain([&mut p.h]).flat_map(|m| m.col_iter_mut().flat_map(|c| c.iter_mut()));
    mats.chain(p.b.iter_mut().flatten()).collect()
}

#[test]
fn critical_points_end_at_the_closed_form() {
    for (bias, counts, dim) in [("none", &[5, 2, 1][..], 4), ("free", &[5, 2, 1], 2), ("none", &[3, 3], 1)] {
        let problem = plain("mse", bias, counts, dim, 0.02, 0.03);
        let found = critical_points(&problem).unwrap();
        let f_star = closed_form(&problem).unwrap().f_star(128);
        let minima: Vec<_> = found.iter().filter(|c| c.negative == 0).collect();
        assert!(!minima.is_empty());
        for c in minima {
            assert!((&c.value(128) - &f_star).contains_zero(), "{bias} {:?}", c.modes);
        }
        assert!(found.iter().all(|c| !(&c.value(128) - &f_star).is_negative()));
    }
    assert!(critical_points(&plain("ce", "none", &[2, 2], 2, 0.1, 0.1)).is_err());
    assert!(critical_points(&plain("mse", "regularized", &[2, 2], 2, 0.1, 0.1)).is_err());
}

#[test]
fn bad_tag_data_are_refused() {
    let base = "model = 'multi-label'\nloss = 'pick-all-labels'\nbias = 'free'\nclasses = 3\ndim = 3\nlambda_w = '0.1'\nlambda_h = '0.1'\n";
    for (labels, named) in [
        ("tag_sets = [[0], [1], [2]]\ntag_counts = [1, 1]", "tag_counts"),
        ("tag_sets = [[0], [1], [3]]\ntag_counts = [1, 1, 1]", "tag_sets"),
        ("tag_sets = [[0], [1], [-2]]\ntag_counts = [1, 1, 1]", "tag_sets"),
        ("tag_sets = [[0], [1], [2, 0]]\ntag_counts = [1, 1, 1]", "tag_sets"),
        ("tag_sets = [[0], [1], []]\ntag_counts = [1, 1, 1]", "tag_sets"),
        ("tag_sets = [[0], [1], [0]]\ntag_counts = [1, 1, 1]", "twice"),
        ("tag_sets = [[0], [1]]\ntag_counts = [1, 1]", "class 2"),
        ("tag_sets = [[0, 1, 2]]\ntag_counts = [0]", "tag_counts"),
        ("tag_sets = [[0, 1, 2]]", "tag_counts"),
        ("tag_sets = [[0, 1, 2]]\ntag_counts = [1]\nper_tag_set = { 1 = 1 }", "per_tag_set"),
        ("per_tag_set = { 4 = 1 }", "per_tag_set"),
    ] {
        let error = Problem::from_toml(&format!("{base}{labels}")).unwrap_err().to_string();
        assert!(error.contains(named), "{labels}: {error}");
    }
    assert!(Problem::from_toml(&base.replace("classes = 3", "classes = 1\ntag_sets = [[0]]\ntag_counts = [1]")).is_err());
    let plain = base.replace("multi-label", "plain").replace("pick-all-labels", "ce");
    assert!(Problem::from_toml(&format!("{plain}per_class = 1\ntag_sets = [[0]]\ntag_counts = [1]")).is_err());
}
