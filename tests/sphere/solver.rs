//! What the solver returns on spheres, from random, symmetric and critical starts.

use super::*;

/// Random starts, one feature per class first or all of them from the beginning: certified global minima, d = K − 1 and d = K included,
/// with the closed form's value to 1e-12 of it and the whole problem's gradient norm.
#[test]
fn random_starts_end_at_the_closed_form() {
    for k in [2usize, 3, 4, 6, 9] {
        for (dim, tau, n) in [(k - 1, "0.5", 3), (k, "3", 1), (k, "8", 4), (k - 1, "8", 1), (k + 3, "5", 7)] {
            if dim == 1 {
                continue; // On S^0 there is nowhere to move.
            }
            let file = file(&balanced(k, n), dim, tau);
            let problem = Problem::from_toml(&file).unwrap();
            let f_star = closed_form(&problem).unwrap().f_star(128).mid().to_f64();
            for (seed, warm) in [(0, true), (1, true), (2, true), (0, false), (1, false)] {
                let options = SolveOptions { seed, warm, ..Default::default() };
                let solution = minimise(&problem, &options, &mut |_| {}).unwrap();
                assert_eq!(solution.status, Status::Converged, "{file} {seed} {warm}");
                assert!(evaluate(&problem, &solution.point).unwrap().gradient_norm <= TARGET, "{file} {seed} {warm}");
                assert!((solution.objective - f_star).abs() <= TARGET * f_star, "{file} {seed} {warm}");
                let verdict = certified(&problem, &file, &solution.point.to_exact().unwrap()).verdict;
                assert_eq!(verdict, Verdict::GlobalMinimum, "{file} {seed} {warm}");
            }
        }
    }
}

/// One feature per class, weighted, is a short way to the same minimum when classes differ in size.
#[test]
fn imbalanced_classes_collapse_to_the_same_minimum() {
    for (counts, tau) in [("[5, 1, 1]", "3"), ("[7, 2, 4, 1, 1]", "1.5"), ("[1, 30]", "6")] {
        let file = file(&format!("class_counts = {counts}"), 7, tau);
        let problem = Problem::from_toml(&file).unwrap();
        let run = |warm| minimise(&problem, &SolveOptions { warm, ..Default::default() }, &mut |_| {}).unwrap();
        let (short, long) = (run(true), run(false));
        assert!(short.status == Status::Converged && long.status == Status::Converged);
        assert!((short.objective - long.objective).abs() <= TARGET * long.objective, "{} {}", short.objective, long.objective);
        assert!(short.work.hessian_products < long.work.hessian_products);
        let verdict = certified(&problem, &file, &short.point.to_exact().unwrap()).verdict;
        assert_eq!(verdict, Verdict::GlobalMinimum, "{file}");
    }
}

/// What an observer sees are points of the whole problem, with its objective and its gradient norm, never rising.
#[test]
fn traces_are_those_of_the_whole_problem() {
    let problem = Problem::from_toml(&file("class_counts = [6, 1, 3]", 5, "6")).unwrap();
    let options = SolveOptions { trace: true, ..Default::default() };
    let (mut rows, mut last) = (0, f64::INFINITY);
    minimise_observed(&problem, &options, &mut |_| {}, &mut |row, point| {
        let at = evaluate(&problem, point).unwrap();
        assert!((at.objective - row.objective).abs() <= ROUNDING * at.objective);
        assert!((at.gradient_norm - row.gradient_norm).abs() <= GRADIENT.0 * at.gradient_norm + GRADIENT.1);
        assert!(row.objective <= last * (1.0 + ROUNDING));
        (rows, last) = (rows + 1, row.objective);
    })
    .unwrap();
    assert!(rows > 0);
}

/// A critical start is returned as it is, features that differ within a class included.
#[test]
fn critical_starts_stay() {
    let problem = Problem::from_toml(&file(&balanced(3, 2), 4, "3")).unwrap();
    let mut point = collapsed(&problem, &vec![vec![1.0]; 3]);
    for spread in [false, true] {
        (0..6).for_each(|i| point.h[(0, i)] = if spread && i % 2 == 1 { -1.0 } else { 1.0 });
        let options = SolveOptions { start: Start::Point(point.clone()), ..Default::default() };
        let solution = minimise(&problem, &options, &mut |_| {}).unwrap();
        assert_eq!((solution.status, &solution.point), (Status::Converged, &point));
    }
}

/// Starts with a symmetry, classes that share their vectors or lie in a plane of reflection: the search, which keeps it, ends at a
/// certified strict saddle or, where rounding broke it, at a certified global minimum.
#[test]
fn symmetric_starts_end_at_strict_saddles_or_minima() {
    let mut saddles = 0;
    for (k, n, dim) in [(4usize, 2usize, 5usize), (6, 1, 7), (4, 3, 3), (6, 2, 6)] {
        for (seed, tau) in [(0, "1"), (1, "4"), (2, "2"), (3, "0.5")] {
            for (warm, flat) in [(true, false), (false, false), (true, true), (false, true)] {
                let file = file(&balanced(k, n), dim, tau);
                let problem = Problem::from_toml(&file).unwrap();
                let mut point = random_point(&problem, seed);
                if flat {
                    // The subspace of the first two coordinates.
                    (2..dim).for_each(|j| (0..k).for_each(|i| point.factors[0][(i, j)] = 0.0));
                    (2..dim).for_each(|j| (0..k * n).for_each(|i| point.h[(j, i)] = 0.0));
                } else {
                    // Classes c and c + k/2 alike.
                    (0..k / 2).for_each(|c| (0..dim).for_each(|j| point.factors[0][(c + k / 2, j)] = point.factors[0][(c, j)]));
                    (0..k * n / 2).for_each(|i| (0..dim).for_each(|j| point.h[(j, i + k * n / 2)] = point.h[(j, i)]));
                }
                let options = SolveOptions { start: Start::Point(point), warm, ..Default::default() };
                let solution = minimise(&problem, &options, &mut |_| {}).unwrap();
                assert_eq!(solution.status, Status::Converged, "{file}");
                let verdict = certified(&problem, &file, &solution.point.to_exact().unwrap()).verdict;
                assert!(matches!(verdict, Verdict::GlobalMinimum | Verdict::StrictSaddle), "{file} {seed} {warm} {flat}: {verdict:?}");
                saddles += usize::from(verdict == Verdict::StrictSaddle);
            }
        }
    }
    assert!(saddles >= 16, "{saddles}");
}

/// Same bytes for any number of threads, at a size where a second one is used.
#[test]
fn solutions_do_not_depend_on_threads() {
    let problem = Problem::from_toml(&file(&balanced(64, 8), 80, "6")).unwrap();
    let run = |threads| minimise(&problem, &SolveOptions { threads: Some(threads), ..Default::default() }, &mut |_| {}).unwrap();
    let (one, three) = (run(1), run(3));
    assert_eq!(one.status, Status::Converged);
    assert_eq!((one.point, one.objective, one.gradient_norm), (three.point, three.objective, three.gradient_norm));
}

/// Plain gradient descent, retracted, ends where the trust region does.
#[test]
fn gradient_descent_stays_on_the_spheres() {
    let problem = Problem::from_toml(&file(&balanced(3, 2), 4, "3")).unwrap();
    let method = Method::GradientDescent { learning_rate: 1.0, steps: 20_000 };
    let s = minimise(&problem, &SolveOptions { method, trace: true, ..Default::default() }, &mut |_| {}).unwrap();
    let f_star = closed_form(&problem).unwrap().f_star(100).mid().to_f64();
    assert!((s.objective - f_star).abs() < DESCENT && !s.trace.is_empty(), "{} {f_star}", s.objective);
    assert!((0..6).all(|i| (s.point.h.col(i).norm_l2() - 1.0).abs() < UNIT));
}
