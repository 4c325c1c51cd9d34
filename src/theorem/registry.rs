//! Every registered theorem.

use super::claims::{LAYERS, NOT_BELOW, NUCLEAR, NUMERICAL, OPTIMALITY, ORTHOGONAL, SIMPLEX, STATIONARITY, STRUCTURE, VALUE};
use super::classifier::{OWN, OWN_MEASURED, RIDGE};
use super::counterexample::{COUNTEREXAMPLE, PREDICTED_BELOW, predict_graph};
use super::extended::LOWER_BOUND;
use super::sphere::STRICT_SADDLES;
use super::{Coverage, Prediction, Theorem, Trust, formal};
use super::{identity, landscape, losses};
use crate::closed_form::closed_form;
use crate::problem::Problem;

/// What the crate's closed forms predict.
pub(super) fn predict(problem: &Problem, prec: u32) -> Option<Prediction> {
    let form = closed_form(problem).ok()?;
    Some(Prediction { f_star: form.f_star(prec), minimiser: form.minimiser(problem, prec).ok()? })
}

/// A plain problem file.
pub(super) fn plain(loss: &str, bias: &str, labels: &str, dim: u32, lambda_w: &str, lambda_h: &str) -> String {
    let bias = match bias.split_once(' ') {
        Some((name, lambda_b)) => format!("\"{name}\"\nlambda_b = \"{lambda_b}\""),
        None => format!("\"{bias}\""),
    };
    format!(
        "model = \"plain\"\nloss = \"{loss}\"\nbias = {bias}\n{labels}\ndim = {dim}\nlambda_w = \"{lambda_w}\"\nlambda_h = \"{lambda_h}\"\n"
    )
}

fn deep(model: &str, labels: &str, dim: u32, lambdas: &str) -> String {
    format!("model = \"{model}\"\nloss = \"mse\"\n{labels}\ndim = {dim}\nlambdas = [{lambdas}]\n")
}

const FIVE_WEIGHTS: &str = "\"0.004\", \"0.004\", \"0.004\", \"0.004\", \"0.004\"";

fn sphere(labels: &str, dim: u32, temperature: &str) -> String {
    format!("model = \"sphere\"\nloss = \"ce\"\n{labels}\ndim = {dim}\ntemperature = \"{temperature}\"\n")
}

pub(super) fn classes(k: u32, n: u32) -> String {
    format!("classes = {k}\nper_class = {n}")
}

/// The theorems, in the order of the literature.
pub fn registry() -> Vec<Theorem> {
    let mut all = vec![
        identity::theorem(),
        Theorem {
            id: "mse-orthogonal-frame",
            statement: "MSE without bias, balanced, d >= K: with c = K sqrt(n lambda_W lambda_H), the minimum is c - c^2/2 for c < 1 (1/2 otherwise), \
                        attained exactly at orthogonal frames H with W aligned; features of a class coincide.",
            source: "Tirer and Bruna, ICML 2022 (arXiv 2202.08087), bias-free regularised MSE model",
            hypotheses: "plain model, mse, bias none, balanced, d >= K",
            conditional: false,
            trust: Trust::Certified,
            claims: vec![VALUE, STATIONARITY, ORTHOGONAL, OPTIMALITY, NUMERICAL, STRUCTURE],
            problems: vec![
                plain("mse", "none", &classes(4, 50), 20, "0.005", "0.001"),
                plain("mse", "none", &classes(2, 3), 2, "0.05", "0.01"),
                plain("mse", "none", &classes(3, 5), 7, "0.01", "0.02"),
                plain("mse", "none", &classes(10, 4), 12, "0.003", "0.004"),
                // c = 2: the zero regime.
                plain("mse", "none", &classes(4, 1), 5, "0.5", "0.5"),
            ],
            predict,
        },
        Theorem {
            id: "mse-simplex-etf",
            statement: "MSE with free bias, balanced, d >= K - 1: the minimum is (K-1)/K (c - c^2/2) for c < 1, attained exactly at simplex ETFs with W \
                        aligned, b = 1/K and zero global mean.",
            source: "Tirer and Bruna, ICML 2022 (arXiv 2202.08087), free bias; Zhou et al., ICML 2022 (arXiv 2203.01238)",
            hypotheses: "plain model, mse, bias free, balanced, d >= K - 1",
            conditional: false,
            trust: Trust::Certified,
            claims: vec![VALUE, STATIONARITY, SIMPLEX, OPTIMALITY, NUMERICAL, STRUCTURE],
            problems: vec![
                plain("mse", "free", &classes(4, 50), 20, "0.005", "0.001"),
                plain("mse", "free", &classes(2, 3), 1, "0.05", "0.01"),
                // The smallest dimension an ETF fits in.
                plain("mse", "free", &classes(5, 2), 4, "0.01", "0.02"),
                plain("mse", "free", &classes(10, 4), 12, "0.003", "0.004"),
                plain("mse", "free", &classes(4, 1), 5, "0.5", "0.5"),
            ],
            predict,
        },
        Theorem {
            id: "mse-transition",
            statement: "MSE with regularised bias, balanced: with g = lambda_b/(1 + lambda_b) the class means' Gram matrix is proportional to \
                        (1-c)_+ (I - J/K) + (1-c/g)_+ J/K: a simplex ETF while g <= c, tending to an orthogonal frame as lambda_b grows.",
            source: "Zhou et al., ICML 2022 (arXiv 2203.01238), regularised bias",
            hypotheses: "plain model, mse, bias regularized, balanced, d >= K (d >= K - 1 while g <= c)",
            conditional: false,
            trust: Trust::Certified,
            claims: vec![VALUE, STATIONARITY, OPTIMALITY, NUMERICAL, STRUCTURE],
            problems: vec![
                plain("mse", "regularized 0.29", &classes(4, 50), 20, "0.005", "0.001"),
                plain("mse", "regularized 0.01", &classes(4, 50), 20, "0.005", "0.001"),
                plain("mse", "regularized 100", &classes(3, 4), 3, "0.02", "0.01"),
                plain("mse", "regularized 0.05", &classes(5, 2), 4, "0.05", "0.02"),
            ],
            predict,
        },
        Theorem {
            id: "mse-minority-collapse",
            statement: "MSE without bias, any class sizes, d >= K: the minimum is the sum over classes of the soft-thresholded modes sqrt(n_k); class k \
                        collapses to zero exactly when n_k <= N^2 lambda_W lambda_H.",
            source: "Dang et al., ICML 2023 (arXiv 2301.00437), imbalanced data; Fang et al., PNAS 2021, minority collapse",
            hypotheses: "plain model, mse, bias none, d >= K",
            conditional: false,
            trust: Trust::Certified,
            claims: vec![VALUE, STATIONARITY, OPTIMALITY, NUMERICAL, STRUCTURE],
            problems: vec![
                plain("mse", "none", "class_counts = [7, 5, 2, 1]", 6, "0.01", "0.02"),
                // The two smallest classes die: N^2 mu^2 = 2.25.
                plain("mse", "none", "class_counts = [7, 5, 2, 1]", 6, "0.1", "0.1"),
                plain("mse", "none", "class_counts = [20, 1]", 2, "0.05", "0.01"),
            ],
            predict,
        },
        Theorem {
            id: "mse-low-dimension",
            statement: "MSE at any dimension d: the minimum keeps the d largest singular values of the target, soft-thresholded by N mu, and gives \
                        up the others; without a bias (target Y) and with a free one (Y centred) for any class sizes, with a regularized one \
                        balanced and d < K (Y centred).",
            source: "Dang et al., ICML 2023 (arXiv 2301.00437), bottlenecks; the lower bound by von Neumann's trace inequality (proofs/FORMAT.md, modes)",
            hypotheses: "plain model, mse; bias none or free, or regularized, balanced and d < K",
            conditional: false,
            trust: Trust::Certified,
            claims: vec![VALUE, STATIONARITY, OPTIMALITY, NUMERICAL],
            problems: vec![
                plain("mse", "none", &classes(5, 3), 2, "0.01", "0.02"),
                plain("mse", "none", "class_counts = [7, 5, 2, 1]", 2, "0.01", "0.02"),
                plain("mse", "free", &classes(6, 2), 3, "0.01", "0.005"),
                // Four distinct sizes: the two largest roots of a secular equation.
                plain("mse", "free", "class_counts = [9, 5, 2, 1]", 2, "0.01", "0.02"),
                plain("mse", "regularized 0.29", &classes(4, 5), 2, "0.005", "0.004"),
                // A dimension for all modes but the mean's, which would be alive.
                plain("mse", "regularized 100", &classes(3, 4), 2, "0.02", "0.01"),
            ],
            predict,
        },
        Theorem {
            id: "ce-simplex-etf",
            statement: "Cross-entropy, balanced, any bias mode, d >= K - 1: the minimisers are simplex ETFs with logits a (I - J/K) Y, \
                        a = log(K/c - (K-1)) for c < 1 and zero otherwise.",
            source: "Zhu et al., NeurIPS 2021 (arXiv 2105.02375); Zhou et al., NeurIPS 2022 (arXiv 2210.02192)",
            hypotheses: "plain model, ce, balanced, d >= K - 1",
            conditional: false,
            trust: Trust::Certified,
            claims: vec![VALUE, STATIONARITY, SIMPLEX, OPTIMALITY, NUMERICAL, STRUCTURE],
            problems: vec![
                plain("ce", "free", &classes(4, 50), 20, "0.005", "0.001"),
                plain("ce", "none", &classes(4, 3), 3, "0.01", "0.02"),
                plain("ce", "regularized 0.1", &classes(5, 2), 6, "0.02", "0.01"),
                plain("ce", "free", &classes(2, 4), 1, "0.02", "0.03"),
                plain("ce", "none", &classes(10, 2), 12, "0.002", "0.003"),
                plain("ce", "none", &classes(4, 1), 5, "0.5", "0.5"),
            ],
            predict,
        },
        Theorem {
            id: "sphere-simplex-etf",
            statement: "Cross-entropy of tau W H, rows of W and columns of H of length one, balanced, d >= K - 1: the minimum is \
                        log(1 + (K-1) exp(-tau K/(K-1))), attained at h_{k,i} = w_k, a simplex ETF; for d > K every other critical point is a \
                        strict saddle.",
            source: "Yaras et al., NeurIPS 2022 (arXiv 2209.09211)",
            hypotheses: "sphere model, ce, balanced, d >= K - 1 (d > K for the landscape)",
            conditional: false,
            trust: Trust::Certified,
            claims: vec![VALUE, STATIONARITY, SIMPLEX, OPTIMALITY, NUMERICAL, STRUCTURE, STRICT_SADDLES],
            problems: vec![
                sphere(&classes(4, 10), 6, "3"),
                sphere(&classes(2, 3), 3, "0.5"),
                sphere(&classes(3, 2), 5, "8"),
                sphere(&classes(10, 3), 12, "1"),
                sphere(&classes(4, 2), 3, "2"),
                sphere(&classes(3, 2), 3, "6"),
            ],
            predict,
        },
        Theorem {
            id: "extended-linear",
            statement: "Three factors W_2 W_1 H, MSE without bias, balanced, d >= K: below K^3 n lambda_1 lambda_2 lambda_3 = 1/16 the minimum is \
                        (1-x)(1+2x)/2 with x = t^3, t the largest root of t^4 - t + kappa = 0; H and W_1 H are orthogonal frames.",
            source: "Tirer and Bruna, ICML 2022 (arXiv 2202.08087), extended model; Dang et al., ICML 2023 (arXiv 2301.00437)",
            hypotheses: "deep-linear, p = 3, balanced, d >= K",
            conditional: false,
            trust: Trust::Certified,
            claims: vec![VALUE, STATIONARITY, ORTHOGONAL, LOWER_BOUND, NOT_BELOW, LAYERS],
            problems: vec![
                deep("deep-linear", &classes(4, 5), 8, "\"0.002\", \"0.003\", \"0.005\""),
                deep("deep-linear", &classes(3, 2), 3, "\"0.01\", \"0.01\", \"0.01\""),
                deep("deep-linear", &classes(5, 1), 6, "\"0.004\", \"0.008\", \"0.004\""),
            ],
            predict,
        },
        Theorem {
            id: "deep-linear",
            statement: "p factors W_{p-1} ... W_1 H, MSE without bias, balanced, d >= K: with kappa = K (n Lambda)^{1/p} at most \
                        (1/(p-1)) ((p-2)/(p-1))^{(p-2)/p} the minimum is (1-x)(1+(p-1)x)/2, x the largest root of (1-x) x^{1-2/p} = kappa (1/2 otherwise); \
                        H, W_1 H, ... are orthogonal frames.",
            source: "Dang et al., ICML 2023 (arXiv 2301.00437); proofs/FORMAT.md derives the bound",
            hypotheses: "deep-linear, any p >= 2, balanced, d >= K",
            conditional: false,
            trust: Trust::Certified,
            claims: vec![VALUE, STATIONARITY, ORTHOGONAL, OPTIMALITY, NOT_BELOW, LAYERS],
            problems: vec![
                deep("deep-linear", &classes(4, 3), 6, "\"0.0004\", \"0.004\", \"0.003\", \"0.002\""),
                deep("deep-linear", &classes(3, 1), 4, "\"0.002\", \"0.002\", \"0.002\", \"0.002\", \"0.002\""),
            ],
            predict,
        },
        Theorem {
            id: "deep-linear-minority-collapse",
            statement: "p factors, MSE without bias, any class sizes, d >= K: each class k is a mode of its own with \
                        kappa_k = N Lambda^{1/p} n_k^{1/p-1}, and collapses to zero when kappa_k exceeds the critical value.",
            source: "Dang et al., ICML 2023 (arXiv 2301.00437), imbalanced data; proofs/FORMAT.md derives the bound",
            hypotheses: "deep-linear, any p >= 2, d >= K",
            conditional: false,
            trust: Trust::Certified,
            claims: vec![VALUE, STATIONARITY, OPTIMALITY, NOT_BELOW, LAYERS],
            problems: vec![
                deep("deep-linear", "class_counts = [7, 5, 2]", 4, "\"0.0002\", \"0.002\", \"0.002\", \"0.002\""),
                // The smallest class is dead, and no local minimum keeps it alive.
                deep("deep-linear", "class_counts = [40, 20, 1]", 4, "\"0.002\", \"0.01\", \"0.01\", \"0.01\", \"0.01\""),
            ],
            predict,
        },
        Theorem {
            id: "extended-relu",
            statement: "Three factors with one ReLU, W_2 relu(W_1 H), MSE without bias, balanced: among minimisers with equal nuclear norms of W_1 H and \
                        relu(W_1 H), the value is the linear model's and relu(W_1 H) is an orthogonal frame.",
            source: "Tirer and Bruna, ICML 2022 (arXiv 2202.08087), nonlinear extended model",
            hypotheses: "deep-relu, p = 3, balanced, d >= K; nuclear norm equality (an assumption: measured, never presumed)",
            conditional: true,
            trust: Trust::Measured,
            claims: vec![VALUE, NUCLEAR, NOT_BELOW, LAYERS],
            problems: vec![
                deep("deep-relu", &classes(4, 5), 8, "\"0.002\", \"0.003\", \"0.005\""),
                deep("deep-relu", &classes(3, 2), 6, "\"0.01\", \"0.01\", \"0.01\""),
            ],
            predict,
        },
        Theorem {
            id: "least-squares-classifier",
            statement: "The ridge minimiser of features with means M, mean mu and covariance S_T is W = diag(n_k/N) (M - mu 1^T)^T (S_T + lambda I)^-1, \
                        b = n_k/N - W mu (free bias), and diag(n_k/N) M^T (S_T + mu mu^T + lambda I)^-1 without; at a critical point of the model \
                        with lambda = lambda_W it is the model's own W.",
            source: "Harun and Kanan, 2025, least-squares initialisation for continual learning",
            hypotheses: "plain model, mse, bias none or free, any class sizes, lambda > 0",
            conditional: false,
            trust: Trust::Certified,
            claims: vec![RIDGE, OWN, OWN_MEASURED],
            problems: vec![
                plain("mse", "free", &classes(3, 4), 4, "0.02", "0.01"),
                plain("mse", "none", &classes(4, 2), 5, "0.01", "0.02"),
                plain("mse", "none", "class_counts = [7, 5, 2, 1]", 4, "0.01", "0.02"),
                plain("mse", "free", "class_counts = [4, 2, 1]", 3, "0.01", "0.02"),
            ],
            predict,
        },
        Theorem {
            id: "deep-relu-not-collapsed",
            statement: "Deep ReLU with five factors, K = 4 and K = 6: collapse is not optimal; points of lower rank in some layers are below every \
                        collapsed point.",
            source: "Sukenik, Lampert and Mondelli 2024, neural collapse vs. low-rank bias; the points are this project's",
            hypotheses: "deep-relu, p = 5, all weights 0.004, n = 1, the instances named",
            conditional: false,
            trust: Trust::Certified,
            claims: vec![COUNTEREXAMPLE],
            problems: vec![
                deep("deep-relu", &classes(4, 1), 4, FIVE_WEIGHTS),
                deep("deep-relu", &classes(4, 1), 6, FIVE_WEIGHTS),
                deep("deep-relu", &classes(6, 1), 8, FIVE_WEIGHTS),
            ],
            predict,
        },
        Theorem {
            id: "deep-relu-graph-family",
            statement: "Deep ReLU, p >= 4, K = r(r-1)/2: the point built on the edges of the complete graph has the objective \
                        min (y-1)^2/2 + (p/2) (n Lambda Pi y^2)^{1/p}, Pi = K r^{p-4} (r^2 (r-1)/8) ((r-1) sqrt(r-2) + sqrt(2r-2))^2, below the \
                        collapsed value, where Pi is K^p, on these instances.",
            source: "Sukenik, Lampert and Mondelli 2024, neural collapse vs. low-rank bias, strongly regular graphs",
            hypotheses: "deep-relu, balanced, K = r(r-1)/2 with r >= 3, p >= 4, d >= K",
            conditional: false,
            trust: Trust::Certified,
            claims: vec![VALUE, PREDICTED_BELOW],
            problems: vec![
                deep("deep-relu", &classes(6, 1), 6, FIVE_WEIGHTS),
                deep("deep-relu", &classes(10, 2), 11, "\"0.001\", \"0.002\", \"0.003\", \"0.004\", \"0.005\""),
                deep("deep-relu", &classes(15, 1), 15, "\"0.001\", \"0.001\", \"0.001\", \"0.001\", \"0.001\", \"0.001\""),
            ],
            predict: predict_graph,
        },
    ];
    all.extend(losses::theorems());
    all.extend(landscape::theorems());
    for theorem in &mut all {
        // Lemmas raise a theorem whose own evidence is certified, never one that rests on a measured assumption.
        let proved = formal(theorem.id).is_some_and(|f| f.coverage == Coverage::Statement);
        if proved && theorem.trust == Trust::Certified && !theorem.conditional {
            theorem.trust = Trust::MachineChecked;
        }
    }
    all
}
