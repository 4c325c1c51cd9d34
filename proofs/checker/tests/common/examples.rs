//! Certificates worked out by hand.

use super::*;

/// Certificates of every kind with the global minimum of their problem (an upper bound within 1e-15 for ce).
pub fn examples() -> Vec<(&'static str, Case, String, Q)> {
    let none = |k: usize| mat(k, 0, 0, &[]);
    let zeros = |r: usize, c: usize| mat(r, c, 0, &vec![0; r * c]);
    let mut out = vec![];

    // Zero regime: W = H = 0, R = -I, f* = 1/2.
    let case = Case::new("mse", "none", &[2, 1], 2, ["1", "1", "1"]);
    let text =
        gap(&case, &zeros(2, 2), &zeros(2, 3), &none(2), &mat(2, 2, 0, &[-1, 0, 0, -1]), &none(2), &q(1, 2), &q(1, 2), Some(&q(0, 1)));
    out.push(("mse zero", case, text, q(1, 2)));

    // s = 1 - N mu = 1/4 with mu = 3/8: W = H = I/2, R = -(3/4) I, f* = 15/32; everything tight.
    let case = Case::new("mse", "none", &[1, 1], 2, ["0.375", "0.375", "1"]);
    let half = mat(2, 2, -1, &[1, 0, 0, 1]);
    let text = gap(&case, &half, &half, &none(2), &mat(2, 2, -2, &[-3, 0, 0, -3]), &none(2), &q(15, 32), &q(15, 32), Some(&q(0, 1)));
    out.push(("mse collapsed", case, text, q(15, 32)));

    // Free bias 1/2, the same scalars on the centred targets: f* = 15/64.
    let case = Case::new("mse", "free", &[1, 1], 1, ["0.1875", "0.75", "1"]);
    let r = mat(2, 2, -3, &[-3, 3, 3, -3]);
    let text = gap(
        &case,
        &mat(2, 1, -1, &[1, -1]),
        &mat(1, 2, -2, &[1, -1]),
        &mat(2, 1, -1, &[1, 1]),
        &r,
        &none(2),
        &q(15, 64),
        &q(15, 64),
        Some(&q(0, 1)),
    );
    out.push(("mse free", case, text, q(15, 64)));

    // Regularized bias b = 1/(2 (1 + lambda_b)) = 1/4, R = b 1ᵀ - I, f* = 3/8; P1 has slack, so L may be something.
    let case = Case::new("mse", "regularized", &[1, 1], 1, ["1", "1", "1"]);
    let (r, l) = (mat(2, 2, -2, &[-3, 1, 1, -3]), mat(2, 2, -1, &[1, 0, 1, 1]));
    let text = gap(&case, &zeros(2, 1), &zeros(1, 2), &mat(2, 1, -2, &[1, 1]), &r, &l, &q(3, 8), &q(3, 8), Some(&q(0, 1)));
    out.push(("mse regularized", case, text, q(3, 8)));

    // Classes of 1 and 4, N mu = 1: singular values 0 and 1, f* = 2/5, which is not dyadic.
    let case = Case::new("mse", "none", &[1, 4], 1, ["0.2", "0.2", "1"]);
    let r = mat(2, 2, -1, &[-2, 0, 0, -1]);
    let text =
        gap(&case, &mat(2, 1, 0, &[0, 1]), &mat(1, 5, -1, &[0, 1, 1, 1, 1]), &none(2), &r, &none(2), &q(2, 5), &q(2, 5), Some(&q(0, 1)));
    out.push(("mse imbalanced", case, text, q(2, 5)));

    // One dimension for two classes of 4, N mu = 1: one singular value 2 is kept, x = 1, and f* = (8 - 1)/16.
    let case = Case::new("mse", "none", &[4, 4], 1, ["0.125", "0.125", "1"]);
    let (w, h) = (mat(2, 1, 0, &[1, 0]), mat(1, 8, -1, &[1, 1, 1, 1, 0, 0, 0, 0]));
    let [s, m] = [2, 1].map(|x| mat(1, 1, 0, &[x]));
    let text = modes(&case, [&w, &h, &none(2)], &s, &m, &q(7, 16), &q(7, 16), Some(&q(0, 1)));
    out.push(("mse modes", case, text, q(7, 16)));

    // The same with a free bias and four classes, whose centred targets have three singular values 2: f* = (12 - 1)/32.
    let case = Case::new("mse", "free", &[4, 4, 4, 4], 1, ["0.125", "0.03125", "1"]);
    let h: Vec<i64> = (0..16).map(|i| [1, -1, 0, 0][i / 4]).collect();
    let (w, h, b) = (mat(4, 1, -1, &[1, -1, 0, 0]), mat(1, 16, -1, &h), mat(4, 1, -2, &[1; 4]));
    let text = modes(&case, [&w, &h, &b], &s, &m, &q(11, 32), &q(11, 32), Some(&q(0, 1)));
    out.push(("mse modes free", case, text, q(11, 32)));

    // Zero regime of ce with K = 4: R Rᵀ = I - J/4 needs L = (1/2) 1 to reach the radius N² mu² = 1; f* = log 4.
    let case = Case::new("ce", "regularized", &[1, 1, 1, 1], 1, ["0.25", "0.25", "0.1"]);
    let entries: Vec<i64> = (0..16).map(|t| if t % 5 == 0 { -3 } else { 1 }).collect();
    let log4 = Q::from_float(4f64.ln()).unwrap();
    let (lower, upper) = (&log4 - q(1, 1 << 40), &log4 + q(1, 1 << 40));
    let r = mat(4, 4, -2, &entries);
    let text = gap(&case, &zeros(4, 1), &zeros(1, 4), &zeros(4, 1), &r, &mat(4, 1, -1, &[1; 4]), &lower, &upper, Some(&q(1, 1 << 40)));
    out.push(("ce zero", case, text, log4.clone()));

    // ce, K = 2, rho = lambda = 1/10: a² = log(3), f* = h(1/10); a and R on a grid of 2^-48, R below 1/10.
    let case = Case::new("ce", "free", &[1, 1], 1, ["0.1", "0.1", "1"]);
    let a = (3f64.ln().sqrt() * 2f64.powi(48)).round() as i64;
    let rho = (1i64 << 48) / 10;
    let minimum = Q::from_float(-0.1 * 0.1f64.ln() - 0.9 * 0.9f64.ln()).unwrap();
    // f* = L* + penalties: the dual value is the entropy of (1/10, 9/10).
    let (lower, upper) = (&minimum - q(1, 1 << 40), &minimum + q(1, 1 << 40));
    let (w, h) = (mat(2, 1, -48, &[a, -a]), mat(1, 2, -48, &[a, -a]));
    let r = mat(2, 2, -48, &[-rho, rho, rho, -rho]);
    let text = gap(&case, &w, &h, &zeros(2, 1), &r, &none(2), &lower, &upper, Some(&q(1, 1 << 40)));
    out.push(("ce collapsed", case, text, minimum));

    // The origin with lambda = 1/8: Q(dW, dH) = -1 + 1/4 over ||v||² = 2.
    let case = Case::new("mse", "none", &[1, 1], 1, ["0.125", "0.125", "1"]);
    let sections = [("W", &zeros(2, 1)), ("H", &zeros(1, 2)), ("dW", &mat(2, 1, 0, &[1, 0])), ("dH", &mat(1, 2, 0, &[1, 0]))];
    let claims = [("gradient", "<=", "0*2^0".to_string()), ("curvature", "<=", "-3*2^-3".to_string())];
    out.push(("mse saddle", case.clone(), certificate(&case, "strict-saddle", 64, &sections, &claims), q(0, 1)));

    // The same for ce: (-2 + 1/2) / 4.
    let case = Case::new("ce", "free", &[1, 1], 1, ["0.125", "0.125", "1"]);
    let sections = [
        ("W", &zeros(2, 1)),
        ("H", &zeros(1, 2)),
        ("b", &zeros(2, 1)),
        ("dW", &mat(2, 1, 0, &[1, -1])),
        ("dH", &mat(1, 2, 0, &[1, -1])),
        ("db", &zeros(2, 1)),
    ];
    let claims = [("gradient", "<=", "1*2^-40".to_string()), ("curvature", "<=", grid(&q(-374_999, 1_000_000), 40, true))];
    out.push(("ce saddle", case.clone(), certificate(&case, "strict-saddle", 64, &sections, &claims), q(0, 1)));

    // W = (1, 1), H = 0 under mse: dF/dH_i = -(1/2), so ||grad||² = 1/2 + lambda² 2.
    let case = Case::new("mse", "none", &[1, 1], 1, ["0.5", "1", "1"]);
    let claims = [("gradient", ">=", "1*2^0".to_string())];
    let text = certificate(&case, "not-critical", 64, &[("W", &mat(2, 1, 0, &[1, 1])), ("H", &zeros(1, 2))], &claims);
    out.push(("mse not critical", case, text, q(0, 1)));
    out
}
