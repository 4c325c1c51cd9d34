//! Matrix kernels at 256 bits: faer, nalgebra, and the product with error bounds.
//!
//! Method: criterion medians on one matrix with random entries of 256 bits (for Cholesky, its Gram matrix plus n I). Before a kernel is
//! timed, its residual ratio must be below LAPACK's threshold. n = 64 runs only when UFM_BENCH_LARGE is set.
//! Bias: both libraries run scalar code on allocated numbers, so the clock measures MPFR and the allocator as much as their
//! algorithms. faer runs on one thread. Small n: blocking has little to win.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use faer::{Mat, Par, Side};
use nalgebra::DMatrix;
use rand::{Rng, SeedableRng};
use rug::{Integer, integer::Order};
use ufm::{
    linalg::{
        multiply,
        residual::{self, EIGEN_THRESHOLD, LINEAR_THRESHOLD, PRODUCT_THRESHOLD, SVD_THRESHOLD},
    },
    scalar::Mp,
};

const P: u32 = 256;
const SEED: u64 = 1;

type Scalar = Mp<P>;

fn random(n: usize) -> Mat<Scalar> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(SEED);
    Mat::from_fn(n, n, |_, _| {
        let digits: [u64; P as usize / 64] = std::array::from_fn(|_| rng.next_u64());
        (Scalar::from(&Integer::from_digits(&digits, Order::Lsf)) >> (P as i32 - 1)) - Scalar::from(1)
    })
}

fn second(a: &Mat<Scalar>) -> DMatrix<Scalar> {
    DMatrix::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)].clone())
}

fn first(a: &DMatrix<Scalar>) -> Mat<Scalar> {
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)].clone())
}

fn check(what: &str, ratio: f64, threshold: f64) {
    assert!(ratio < threshold, "{what}: ratio {ratio} is not below {threshold}");
}

fn product(c: &mut Criterion, a: &Mat<Scalar>, n: usize) {
    let b = second(a);
    let ratio = |c: &Mat<Scalar>| residual::multiplication(a.as_ref(), a.as_ref(), c.as_ref());
    check("multiply", ratio(&multiply(a.as_ref(), a.as_ref())), PRODUCT_THRESHOLD);
    check("faer", ratio(&(a * a)), PRODUCT_THRESHOLD);
    check("nalgebra", ratio(&first(&(&b * &b))), PRODUCT_THRESHOLD);
    let mut group = c.benchmark_group("product 256 bits");
    group.bench_function(BenchmarkId::new("multiply", n), |t| t.iter(|| multiply(a.as_ref(), a.as_ref())));
    group.bench_function(BenchmarkId::new("faer", n), |t| t.iter(|| a * a));
    group.bench_function(BenchmarkId::new("nalgebra", n), |t| t.iter(|| &b * &b));
    group.finish();
}

fn cholesky(c: &mut Criterion, a: &Mat<Scalar>, n: usize) {
    let square = multiply(a.as_ref(), a.transpose());
    let a = Mat::from_fn(n, n, |i, j| if i == j { &square[(i, j)] + Scalar::from(n as u32) } else { square[(i.max(j), i.min(j))].clone() });
    let b = second(&a);
    check("faer", residual::cholesky(a.as_ref(), a.llt(Side::Lower).unwrap().L()), LINEAR_THRESHOLD);
    check("nalgebra", residual::cholesky(a.as_ref(), first(&b.clone().cholesky().unwrap().l()).as_ref()), LINEAR_THRESHOLD);
    let mut group = c.benchmark_group("cholesky 256 bits");
    group.bench_function(BenchmarkId::new("faer", n), |t| t.iter(|| a.llt(Side::Lower)));
    group.bench_function(BenchmarkId::new("nalgebra", n), |t| t.iter(|| b.clone().cholesky()));
    group.finish();
}

fn qr(c: &mut Criterion, a: &Mat<Scalar>, n: usize) {
    let b = second(a);
    let faer = || {
        let qr = a.qr();
        (qr.compute_thin_Q(), qr.thin_R().to_owned())
    };
    let nalgebra = || {
        let qr = b.clone().qr();
        (qr.q(), qr.r())
    };
    let (q, r) = faer();
    check("faer", residual::qr(a.as_ref(), q.as_ref(), r.as_ref()), LINEAR_THRESHOLD);
    let (q, r) = nalgebra();
    check("nalgebra", residual::qr(a.as_ref(), first(&q).as_ref(), first(&r).as_ref()), LINEAR_THRESHOLD);
    let mut group = c.benchmark_group("qr 256 bits");
    group.bench_function(BenchmarkId::new("faer", n), |t| t.iter(faer));
    group.bench_function(BenchmarkId::new("nalgebra", n), |t| t.iter(nalgebra));
    group.finish();
}

fn eigh(c: &mut Criterion, a: &Mat<Scalar>, n: usize) {
    let a = Mat::from_fn(n, n, |i, j| a[(i.max(j), i.min(j))].clone());
    let b = second(&a);
    let faer = a.self_adjoint_eigen(Side::Lower).unwrap();
    let values: Vec<_> = faer.S().column_vector().iter().cloned().collect();
    check("faer", residual::eigen(a.as_ref(), &values, faer.U()), EIGEN_THRESHOLD);
    let nalgebra = b.clone().symmetric_eigen();
    let ratio = residual::eigen(a.as_ref(), nalgebra.eigenvalues.as_slice(), first(&nalgebra.eigenvectors).as_ref());
    check("nalgebra", ratio, EIGEN_THRESHOLD);
    let mut group = c.benchmark_group("eigh 256 bits");
    group.bench_function(BenchmarkId::new("faer", n), |t| t.iter(|| a.self_adjoint_eigen(Side::Lower)));
    group.bench_function(BenchmarkId::new("nalgebra", n), |t| t.iter(|| b.clone().symmetric_eigen()));
    group.finish();
}

fn svd(c: &mut Criterion, a: &Mat<Scalar>, n: usize) {
    let b = second(a);
    let faer = a.thin_svd().unwrap();
    let values: Vec<_> = faer.S().column_vector().iter().cloned().collect();
    check("faer", residual::svd(a.as_ref(), faer.U(), &values, faer.V()), SVD_THRESHOLD);
    let nalgebra = b.clone().svd(true, true);
    let (u, v) = (first(&nalgebra.u.unwrap()), first(&nalgebra.v_t.unwrap().transpose()));
    check("nalgebra", residual::svd(a.as_ref(), u.as_ref(), nalgebra.singular_values.as_slice(), v.as_ref()), SVD_THRESHOLD);
    let mut group = c.benchmark_group("svd 256 bits");
    group.bench_function(BenchmarkId::new("faer", n), |t| t.iter(|| a.thin_svd()));
    group.bench_function(BenchmarkId::new("nalgebra", n), |t| t.iter(|| b.clone().svd(true, true)));
    group.finish();
}

fn kernels(c: &mut Criterion) {
    faer::set_global_parallelism(Par::Seq);
    let mut sizes = vec![32];
    if std::env::var_os("UFM_BENCH_LARGE").is_some() {
        sizes.push(64);
    }
    for n in sizes {
        let a = random(n);
        product(c, &a, n);
        cholesky(c, &a, n);
        qr(c, &a, n);
        eigh(c, &a, n);
        svd(c, &a, n);
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = kernels
}
criterion_main!(benches);
