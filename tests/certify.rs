//! Certification of plain points: verdicts, and bounds that contain what they must.

use ufm::{
    certify::{CertifyOptions, Verdict, certify},
    problem::Problem,
    solve::{SolveOptions, minimise},
};

fn file(loss: &str, bias: &str, labels: &str, dim: u32, lambdas: (&str, &str)) -> String {
    format!(
        "model = \"plain\"\nloss = \"{loss}\"\nbias = {bias}\n{labels}\ndim = {dim}\nlambda_w = \"{}\"\nlambda_h = \"{}\"\n",
        lambdas.0, lambdas.1
    )
}

#[test]
fn show() {
    for (loss, bias) in [
        ("mse", "\"none\""),
        ("mse", "\"free\""),
        ("mse", "\"regularized\"\nlambda_b = \"0.29\""),
        ("ce", "\"none\""),
        ("ce", "\"free\""),
        ("ce", "\"regularized\"\nlambda_b = \"0.1\""),
    ] {
        for (labels, dim, l) in [
            ("classes = 4\nper_class = 50", 20, ("0.005", "0.001")),
            ("class_counts = [7,5,2,1]", 6, ("0.01", "0.02")),
            ("classes = 100\nper_class = 10", 128, ("0.005", "0.001")),
        ] {
            let f = file(loss, bias, labels, dim, l);
            let p = Problem::from_toml(&f).unwrap();
            let s = minimise(&p, &SolveOptions::default(), &mut |_| {}).unwrap();
            let t = std::time::Instant::now();
            let c = certify(&p, f.as_bytes(), &s.point.to_exact().unwrap(), &CertifyOptions::default()).unwrap();
            let dt = t.elapsed().as_secs_f64();
            println!(
                "{loss} {bias} {labels} solve {:.3}s {:?} g {:.1e} cert {dt:.3}s {:?} gap {:?} grad {} text {}",
                s.seconds,
                s.status,
                s.gradient_norm,
                c.verdict,
                c.bounds.map(|b| b.gap.to_f64()),
                c.gradient_norm.unwrap().upper_decimal(3),
                c.text.map_or(0, |t| t.len())
            );
        }
    }
    assert_eq!(Verdict::GlobalMinimum.name(), "global-minimum");
}
