//! Grids and phase diagrams: what is measured lies on the side of the drawn boundary that theory says.

use ufm::sweep::{Diagram, Grid, Phase, Record, SweepStatus, diagrams, solve_instance};

fn example(name: &str) -> Grid {
    let path = format!("{}/examples/grids/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    Grid::from_toml(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn solved(grid: &Grid) -> Vec<Record> {
    let one = |i: &ufm::sweep::Instance| Record {
        index: i.index,
        key: i.key.clone(),
        seconds: 0.0,
        outcome: solve_instance(i, &grid.options).unwrap(),
    };
    grid.instances.iter().map(one).collect()
}

/// The curve's value at x, by interpolation on logarithmic axes (a hundredth of the drawing is finer than any grid here).
fn at(curve: &[(f64, f64)], x: f64) -> Option<f64> {
    let share = |a: f64, b: f64| if a == b { 0.0 } else { (x / a).ln() / (b / a).ln() };
    let pair = curve.windows(2).find(|w| w[0].0 <= x * (1.0 + 1e-12) && x <= w[1].0 * (1.0 + 1e-12))?;
    Some(pair[0].1 * (pair[1].1 / pair[0].1).powf(share(pair[0].0, pair[1].0)))
}

/// Every point is on its side of the curve, those nearer than a thousandth left out; returns how many were told.
fn assert_sides(d: &Diagram, curve: &[(f64, f64)], above: &[Phase], below: &[Phase]) -> usize {
    let mut told = 0;
    for p in &d.points {
        let Some(y) = at(curve, p.x).filter(|y| (p.y / y - 1.0).abs() > 1e-3) else { continue };
        let allowed = if p.y > y { above } else { below };
        assert!(allowed.contains(&p.measured), "{}, {}: {p:?} against a boundary at {y}", d.heading, d.title);
        told += 1;
    }
    told
}

fn checked(name: &str) -> Vec<Diagram> {
    let grid = example(name);
    let records = solved(&grid);
    for r in &records {
        assert_eq!(r.outcome.status, SweepStatus::Holds, "{name} {}: {:?}", r.index, r.outcome);
        assert_eq!(r.outcome.agrees(), Some(true), "{name} {}", r.index);
    }
    let drawn = diagrams(&grid, &records);
    assert_eq!(drawn.iter().map(|d| d.points.len()).sum::<usize>(), records.len(), "every instance is in one diagram");
    drawn
}

#[test]
fn regimes() {
    let drawn = checked("regimes");
    assert_eq!(drawn.len(), 2);
    for d in &drawn {
        let told = assert_sides(d, &d.boundaries[0].1, &[Phase::Zero], &[Phase::Whole]);
        assert!(told > 100, "{told}");
    }
}

#[test]
fn frames() {
    let drawn = checked("etf_of");
    assert_eq!(drawn.len(), 1);
    let d = &drawn[0];
    let told = assert_sides(d, &d.boundaries[0].1, &[Phase::Whole, Phase::Zero], &[Phase::Partial, Phase::Zero]);
    assert!(told > 150, "{told}");
    assert!(d.points.iter().all(|p| (p.measured == Phase::Zero) == (p.x >= d.boundaries[1].1[0].0)));
    assert!(Phase::ALL.iter().all(|phase| d.points.iter().any(|p| p.measured == *phase)), "all three phases are there");
}

#[test]
fn minority_collapse() {
    let drawn = checked("minority");
    assert_eq!(drawn.len(), 4);
    for d in &drawn {
        let minority = assert_sides(d, &d.boundaries[0].1, &[Phase::Partial, Phase::Zero], &[Phase::Whole]);
        let majority = assert_sides(d, &d.boundaries[1].1, &[Phase::Zero, Phase::Partial], &[Phase::Whole, Phase::Partial]);
        assert!(minority > 80 && majority > 80, "{minority} {majority}");
        assert!(Phase::ALL.iter().all(|phase| d.points.iter().any(|p| p.measured == *phase)), "all three phases are there");
    }
}

#[test]
fn deep_threshold() {
    let drawn = checked("deep_threshold");
    assert_eq!(drawn.len(), 1);
    let d = &drawn[0];
    // The abscissa is linear and its points are whole numbers: the nearest sample will do.
    for p in &d.points {
        let curve = &d.boundaries[0].1;
        let near = curve.iter().min_by(|a, b| (a.0 - p.x).abs().total_cmp(&(b.0 - p.x).abs())).unwrap();
        assert_eq!(p.measured, if p.y > near.1 { Phase::Zero } else { Phase::Whole }, "{p:?} against {near:?}");
    }
}

#[test]
fn a_wrong_minimum_shows() {
    // From small random starts a deep model ends at zero, a local minimum, below its threshold too.
    let text = "model = 'deep-linear'\nloss = 'mse'\ndepth = 4\nclasses = 3\nper_class = 2\ndim = 'K'\nlambda = ['0.01', '0.02', '0.9']\n[options]\nstarts = ['random']\n";
    let grid = Grid::from_toml(text).unwrap();
    let records = solved(&grid);
    let agrees: Vec<_> = records.iter().map(|r| r.outcome.agrees()).collect();
    assert_eq!(agrees, [Some(false), Some(false), Some(true)]);
    let statuses: Vec<_> = records.iter().map(|r| r.outcome.status).collect();
    assert_eq!(statuses, [SweepStatus::Undecided, SweepStatus::Undecided, SweepStatus::Holds]);
    let drawn = diagrams(&grid, &records);
    assert_eq!((drawn.len(), drawn[0].disagreements(), drawn[0].compared()), (1, 2, 3));
}

#[test]
fn every_model_and_loss_agrees_with_theory() {
    let grids = [
        "model = 'plain'\nloss = ['mse', 'ce', 'label-smoothing', 'focal']\nbias = ['none', 'free', 'regularized']\nsmoothing = '0.1'\nfocusing = 2\n\
         classes = [3, 6]\nper_class = [1, 4]\ndim = 'K+1'\nlambda = { from = '0.006', to = '0.61', points = 5, scale = 'log' }\nlambda_b = '0.4'\n",
        "model = 'multi-label'\nloss = 'pick-all-labels'\nbias = 'free'\nclasses = 4\nper_tag_set = [{ 1 = 3, 2 = 2 }, { 2 = 1 }]\ndim = 'K'\n\
         lambda = { from = '0.006', to = '0.61', points = 5, scale = 'log' }\n",
        "model = 'sphere'\nloss = 'ce'\nclasses = 3\nper_class = 2\ndim = 'K+1'\ntemperature = [1, 4]\n",
        "model = 'deep-linear'\nloss = 'mse'\ndepth = 2\nclasses = 4\nper_class = 8\nminority = 2\nimbalance = [1, 2, 8]\ndim = 'K'\n\
         lambda = { from = '0.006', to = '0.5', points = 6, scale = 'log' }\n[options]\nstarts = ['spectral', 'random']\n",
        "model = 'plain'\nloss = ['mse', 'ce', 'label-smoothing']\nbias = ['none', 'free', 'regularized']\nlambda_b = '0.3'\nsmoothing = '0.2'\nclass_counts = [[9, 9, 9, 2, 2], [8, 4, 2, 1]]\n\
         dim = 'K'\nlambda = { from = '0.006', to = '0.3', points = 6, scale = 'log' }\n",
    ];
    for text in grids {
        let grid = Grid::from_toml(text).unwrap();
        for r in solved(&grid) {
            let which = &grid.instances[r.index].raw;
            assert_eq!(r.outcome.status, SweepStatus::Holds, "{which:?}: {:?}", r.outcome);
        }
    }
}

#[test]
fn at_a_threshold_the_mode_is_dead() {
    // c = 4 · 0.25 = 1 and κ = 1 exactly.
    for text in [
        "model = 'plain'\nloss = ['mse', 'ce']\nbias = ['none', 'free']\nclasses = 4\nper_class = 1\ndim = 'K'\nlambda = '0.25'\n",
        "model = 'deep-linear'\nloss = 'mse'\ndepth = 2\nclasses = 4\nper_class = 1\ndim = 'K'\nlambda = '0.25'\n",
        "model = 'plain'\nloss = ['mse', 'ce']\nbias = 'none'\nclass_counts = [[16, 16, 1, 1]]\ndim = 'K'\nlambda = { from = 1, to = 2, points = 2 }\n",
    ] {
        let grid = Grid::from_toml(text).unwrap();
        for r in solved(&grid) {
            assert_eq!(
                (r.outcome.status, r.outcome.rank),
                (SweepStatus::Holds, Some(0)),
                "{:?}: {:?}",
                grid.instances[r.index].raw,
                r.outcome
            );
        }
    }
}

#[test]
fn small_dimensions_are_settled_by_the_modes_of_the_target() {
    let grid = Grid::from_toml(
        "model = 'plain'\nloss = 'mse'\nbias = 'none'\nclasses = 5\nper_class = 2\ndim = [2, 'K-1', 'K']\nlambda = '0.01'\n[options]\ndigits = 20\n",
    )
    .unwrap();
    let found: Vec<_> = solved(&grid).into_iter().map(|r| (r.outcome.status, r.outcome.bound.unwrap(), r.outcome.rank.unwrap())).collect();
    let holds = |bound: &str, rank| (SweepStatus::Holds, bound.to_owned(), rank);
    assert_eq!(found, [holds("modes", 2), holds("modes", 4), holds("dual", 5)]);
}

#[test]
fn the_grid_depends_on_its_meaning_alone() {
    let a = Grid::from_toml("model = 'plain'\nloss = 'mse'\nbias = ['none', 'regularized']\nlambda_b = ['1', '2']\nclasses = 3\nper_class = 1\ndim = 4\nlambda = '0.1'\n").unwrap();
    let b = Grid::from_toml("lambda = ['0.1']\nclasses = 3\nper_class = [1, 1]\ndim = 'K+1'\n# spelled another way\nlambda_b = ['1', '2']\nbias = ['none', 'regularized']\nloss = 'mse'\nmodel = 'plain'\n").unwrap();
    // lambda_b belongs to the regularized bias alone; equal instances are made once.
    assert_eq!(a.instances.len(), 3);
    assert_eq!(a.hash, b.hash);
    let changed = Grid::from_toml("model = 'plain'\nloss = 'mse'\nbias = ['none', 'regularized']\nlambda_b = ['1', '2']\nclasses = 3\nper_class = 1\ndim = 4\nlambda = '0.1'\n[options]\ntol = '1e-11'\n").unwrap();
    assert_ne!(a.hash, changed.hash);
}

#[test]
fn imbalance_follows_its_rule_exactly() {
    let grid = Grid::from_toml(
        "model = 'plain'\nloss = 'mse'\nbias = 'none'\nclasses = 3\nper_class = 10\nminority = 1\nimbalance = [1, '2.5', 3, 10]\ndim = 3\nlambda = '0.01'\n",
    )
    .unwrap();
    let counts: Vec<_> = grid.instances.iter().map(|i| i.raw.class_counts.clone().unwrap()).collect();
    assert_eq!(counts, [[10, 10, 10], [10, 10, 4], [10, 10, 3], [10, 10, 1]]);
    assert_eq!(grid.instances[1].step.unwrap().ratio(), ufm::scalar::Rational::from((5, 2)));
}
