//! Certified points that the certify and check benchmarks share.

use ufm::{
    certify::{Certification, CertifyOptions, Verdict, certify},
    closed_form::closed_form,
    problem::{ExactPoint, Problem},
    report,
    scalar::Rational,
    solve::{Method, SolveOptions, minimise, minimise_lowest},
};

/// Decimal places by which the closed-form point's gap stays below the digits asked: its own rounding, and that of the bounds.
const DIGITS_LOST: u32 = 2;

/// A problem, a point of it, and what the certificate is to prove.
pub struct Case {
    pub name: String,
    pub file: String,
    pub problem: Problem,
    pub point: ExactPoint,
    pub options: CertifyOptions,
}

fn file(loss: &str, bias: &str, (classes, dim, per_class): (u64, u64, u64)) -> String {
    let (lambda_w, lambda_h) = if classes == 4 { ("0.005", "0.001") } else { ("0.0005", "0.0005") };
    format!(
        "model = 'plain'\nloss = '{loss}'\nbias = '{bias}'\nclasses = {classes}\nper_class = {per_class}\ndim = {dim}\n\
         lambda_w = '{lambda_w}'\nlambda_h = '{lambda_h}'\n"
    )
}

/// One small problem of each other kind of certificate: dual of the sphere, of focal margins, of deep products, of tag sets.
const OTHERS: [(&str, &str); 4] = [
    ("sphere", "model = 'sphere'\nloss = 'ce'\nclasses = 10\nper_class = 5\ndim = 16\ntemperature = '5'\n"),
    (
        "focal",
        "model = 'plain'\nloss = 'focal'\nfocusing = '2'\nbias = 'none'\nclasses = 10\nper_class = 5\ndim = 16\nlambda_w = '0.005'\n\
         lambda_h = '0.001'\n",
    ),
    (
        "deep-linear",
        "model = 'deep-linear'\nloss = 'mse'\nclasses = 10\nper_class = 5\ndim = 16\nlambdas = ['0.003', '0.003', '0.003', '0.003']\n",
    ),
    (
        "pick-all-labels",
        "model = 'multi-label'\nloss = 'pick-all-labels'\nbias = 'free'\nclasses = 6\nper_tag_set = { 1 = 5, 2 = 2 }\ndim = 8\n\
         lambda_w = '0.002'\nlambda_h = '0.001'\n",
    ),
];

impl Case {
    /// The solver's point at its default tolerance, certified to a double's accuracy.
    fn solved(loss: &str, size: (u64, u64, u64)) -> Self {
        let file = file(loss, "free", size);
        let problem = Problem::from_toml(&file).expect("a valid problem");
        let solution = minimise(&problem, &SolveOptions::default(), &mut |_| {}).expect("covered");
        let point = solution.point.to_exact().expect("finite");
        let name = format!("{loss} solved K={} n={} f64", size.0, size.2);
        Case { name, file, problem, point, options: CertifyOptions::default() }
    }

    /// The lowest point of the starts that the model needs.
    fn lowest((name, file): (&str, &str)) -> Self {
        let problem = Problem::from_toml(file).expect("a valid problem");
        let options = SolveOptions { method: Method::suited_to(&problem), ..Default::default() };
        let lowest = minimise_lowest(&problem, &options, &mut |_| {}, &mut |_, _| {}).expect("covered");
        let point = lowest.solution.point.to_exact().expect("finite");
        Case { name: format!("{name} solved f64"), file: file.into(), problem, point, options: CertifyOptions::default() }
    }

    /// The theorem's point on a grid of `digits` digits, certified to nearly as many.
    fn closed(loss: &str, size: (u64, u64, u64), digits: u32) -> Self {
        let file = file(loss, "free", size);
        let problem = Problem::from_toml(&file).expect("a valid problem");
        let form = closed_form(&problem).expect("a closed form");
        let point = form.minimiser(&problem, report::bits(digits)).expect("fits in memory");
        let tenth = Rational::from((1, 10));
        let gap_tol = (0..digits - DIGITS_LOST).fold(Rational::from(1), |product, _| product * &tenth);
        let options = CertifyOptions { digits, gap_tol, ..Default::default() };
        let name = format!("{loss} closed form K={} n={} {digits} digits", size.0, size.2);
        Case { name, file, problem, point, options }
    }

    pub fn certify(&self) -> Certification {
        certify(&self.problem, self.file.as_bytes(), &self.point, &self.options).expect("covered")
    }

    /// The certificate, once its verdict is what the case promises.
    pub fn certificate(&self) -> String {
        let result = self.certify();
        assert_eq!(result.verdict, Verdict::GlobalMinimum, "{}", self.name);
        result.text.expect("a certificate")
    }
}

/// Solved points at two sizes (three when UFM_BENCH_LARGE is set) and a closed-form point, each for both losses; the other models.
pub fn cases() -> Vec<Case> {
    let mut sizes = vec![(4, 20, 50), (100, 128, 10)];
    if std::env::var_os("UFM_BENCH_LARGE").is_some() {
        sizes.push((1000, 1024, 1));
    }
    let losses = ["mse", "ce"];
    let solved = sizes.into_iter().flat_map(|size| losses.map(|loss| Case::solved(loss, size)));
    let closed = losses.map(|loss| Case::closed(loss, (10, 10, 10), 50));
    solved.chain(closed).chain(OTHERS.map(Case::lowest)).collect()
}
